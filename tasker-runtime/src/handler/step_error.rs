//! What a handler says when it fails, and what is recorded of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tasker_store::{BoxError, ErrorKind, ErrorRecord};

/// What a handler returns; for any other error type see [`StepError`].
pub type StepResult<T> = Result<T, StepError>;

/// Why an attempt failed.
///
/// A handler may return any error. One that converts into a `StepError` decides for itself whether
/// it is permanent; every other is retryable.
///
/// ```
/// use std::time::Duration;
/// use tasker::StepError;
///
/// let refused = StepError::permanent("the card was declined").code("CARD_DECLINED");
/// let busy = StepError::retryable("503 from billing").retry_after(Duration::from_secs(20));
/// assert!(!refused.is_retryable() && busy.is_retryable());
/// ```
#[derive(Debug)]
pub struct StepError {
    facts: Facts,
    error: BoxError,
}

/// What an error says besides its text.
#[derive(Clone, Debug)]
struct Facts {
    kind: ErrorKind,
    code: Option<String>,
    retry_after: Option<Duration>,
    context: Option<Value>,
}

impl StepError {
    /// Another attempt cannot help: the step fails at once.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Permanent, error.into())
    }

    /// Another attempt may help: the step is tried again as its retry policy says.
    pub fn retryable(error: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Retryable, error.into())
    }

    fn new(kind: ErrorKind, error: BoxError) -> Self {
        Self { facts: Facts { kind, code: None, retry_after: None, context: None }, error }
    }

    /// Waits this long before the next attempt, whatever the retry policy says.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.facts.retry_after = Some(delay);
        self
    }

    /// A word for programs, such as `CARD_DECLINED`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.facts.code = Some(code.into());
        self
    }

    /// Facts for whoever looks into it, kept with the attempt.
    #[must_use]
    pub fn context(mut self, context: impl Into<Value>) -> Self {
        self.facts.context = Some(context.into());
        self
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.facts.kind == ErrorKind::Retryable
    }

    /// An error of a type that says nothing about retrying; a `StepError` among its sources does.
    pub(crate) fn from_any(error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return *own,
            Err(other) => other,
        };
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(own) = inner.downcast_ref::<Self>() {
                return Self { facts: own.facts.clone(), error };
            }
            source = inner.source();
        }
        Self::new(ErrorKind::Retryable, error)
    }

    /// Another error that says the same.
    #[cfg(feature = "testing")]
    pub(crate) fn again(&self) -> Self {
        Self { facts: self.facts.clone(), error: self.record().message.into() }
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.facts.retry_after
    }

    /// What is kept of it.
    pub(crate) fn record(&self) -> ErrorRecord {
        let mut message = self.error.to_string();
        let mut source = self.error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            // Many errors repeat their source in their own text.
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            source = inner.source();
        }
        let Facts { kind, code, context, .. } = self.facts.clone();
        ErrorRecord { kind, message, code, context }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for StepError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl From<BoxError> for StepError {
    fn from(error: BoxError) -> Self {
        Self::from_any(error)
    }
}

#[cfg(feature = "anyhow")]
impl From<anyhow::Error> for StepError {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<Self>() {
            Some(own) => Self { facts: own.facts.clone(), error: error.into() },
            None => Self::from_any(error.into()),
        }
    }
}

impl From<String> for StepError {
    fn from(message: String) -> Self {
        Self::retryable(message)
    }
}

impl From<&str> for StepError {
    fn from(message: &str) -> Self {
        Self::retryable(message)
    }
}

impl From<std::io::Error> for StepError {
    fn from(error: std::io::Error) -> Self {
        Self::retryable(error)
    }
}

impl From<serde_json::Error> for StepError {
    fn from(error: serde_json::Error) -> Self {
        Self::retryable(error)
    }
}

/// Turns the error of a call into a [`StepError`] on the way out, where the type itself does not.
///
/// ```
/// use tasker::{OrStepError as _, StepResult};
///
/// fn parse(text: &str) -> StepResult<u32> {
///     Ok(text.parse::<u32>().or_permanent()?)
/// }
/// assert!(!parse("x").unwrap_err().is_retryable());
/// ```
pub trait OrStepError<T> {
    /// The error as a retryable one.
    ///
    /// # Errors
    ///
    /// When `self` is an error.
    fn or_retryable(self) -> StepResult<T>;

    /// The error as a permanent one.
    ///
    /// # Errors
    ///
    /// When `self` is an error.
    fn or_permanent(self) -> StepResult<T>;
}

impl<T, E: Into<BoxError>> OrStepError<T> for Result<T, E> {
    fn or_retryable(self) -> StepResult<T> {
        self.map_err(StepError::retryable)
    }

    fn or_permanent(self) -> StepResult<T> {
        self.map_err(StepError::permanent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed")]
    struct Outer(#[source] StepError);

    #[test]
    fn a_step_error_inside_another_error_decides() {
        let error = StepError::from_any(Outer(StepError::permanent("no such user").code("GONE")).into());
        assert!(!error.is_retryable());
        let record = error.record();
        assert_eq!(record.to_string(), "the call failed: no such user [GONE]");
    }

    #[test]
    fn any_other_error_is_retryable() {
        assert!(StepError::from_any("plain text".into()).is_retryable());
        assert!(StepError::from(std::io::Error::other("gone")).is_retryable());
    }
}
