//! The error of a failed attempt, and what is recorded of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tasker_store::{BoxError, ErrorKind, ErrorRecord, append};

use crate::build::payload_limits::{LONGEST_CODE, LONGEST_MESSAGE, PayloadLimits, bounded_depth, cut};

/// The result of a handler; for other error types see [`StepError`].
pub type StepResult<T> = Result<T, StepError>;

/// Why an attempt failed.
///
/// A handler may return any error. An error that converts into a `StepError` decides whether it is permanent;
/// every other is retryable.
///
/// Its text is recorded with the attempt: the message with its causes, then the code in brackets. A message of
/// more than 16 KiB, and a code of more than 256 bytes, are cut and then say how long they were.
///
/// ```
/// use std::time::Duration;
/// use tasker::StepError;
///
/// let refused = StepError::permanent("the card was declined").with_code("CARD_DECLINED");
/// assert_eq!(refused.to_string(), "the card was declined [CARD_DECLINED]");
/// let busy = StepError::retryable("503 from billing").with_retry_after(Duration::from_secs(20));
/// assert!(!refused.is_retryable() && busy.is_retryable());
/// ```
#[derive(Debug)]
pub struct StepError {
    facts: Facts,
    error: BoxError,
}

/// The fields of an error besides its text.
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

    /// Everything but the kind is taken over when the error is a `StepError`.
    fn new(kind: ErrorKind, error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => Self { facts: Facts { kind, ..own.facts }, error: own.error },
            Err(error) => Self { facts: Facts { kind, code: None, retry_after: None, context: None }, error },
        }
    }

    /// With a code for programs, such as `CARD_DECLINED`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.facts.code = Some(code.into());
        self
    }

    /// With facts that help to investigate the error, recorded with the attempt. They have the limits of a
    /// result ([`Builder::max_result_bytes`](crate::Builder::max_result_bytes),
    /// [`max_depth`](crate::Builder::max_depth)): of what is beyond these, a note is recorded that says so.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Value>) -> Self {
        self.facts.context = Some(bounded_depth(context.into()));
        self
    }

    /// With the time to wait before the next attempt, in place of the retry policy's delay.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.facts.retry_after = Some(delay);
        self
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.facts.kind == ErrorKind::Retryable
    }

    /// The kind of the error: retryable or permanent.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.facts.kind
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.facts.code.as_deref()
    }

    /// The facts that help to investigate the error.
    #[must_use]
    pub fn context(&self) -> Option<&Value> {
        self.facts.context.as_ref()
    }

    /// How long to wait before the next attempt; `None` for the retry policy's delay.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.facts.retry_after
    }

    /// The error that it was made from. Its text is part of this error's text; it is therefore not the
    /// `source`.
    ///
    /// ```
    /// let error = tasker::StepError::retryable(std::io::Error::from(std::io::ErrorKind::TimedOut));
    /// assert!(error.inner().is::<std::io::Error>());
    /// ```
    #[must_use]
    pub fn inner(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// The error's text with its causes, joined by `: `.
    ///
    /// ```
    /// let error = tasker::StepError::permanent("the card was declined").with_code("CARD_DECLINED");
    /// assert_eq!(error.message(), "the card was declined");
    /// ```
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.error.to_string();
        let mut source = self.error.source();
        while let Some(inner) = source {
            match inner.downcast_ref::<Self>() {
                // Its code is appended at the end of the whole text.
                Some(own) => match message.strip_suffix(&own.to_string()) {
                    Some(before) => message = format!("{before}{}", own.message()),
                    None => append(&mut message, &own.message()),
                },
                None => append(&mut message, &inner.to_string()),
            }
            source = inner.source();
        }
        message
    }

    /// From an error of any type. It is retryable, unless a `StepError` among its sources says otherwise.
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

    /// Another error with the same message, kind, code and facts.
    #[cfg(feature = "testing")]
    pub(crate) fn again(&self) -> Self {
        Self { facts: self.facts.clone(), error: self.message().into() }
    }

    /// The record of this error, within the limits.
    pub(crate) fn record(&self, limits: &PayloadLimits) -> ErrorRecord {
        let mut record = self.record_without_context();
        record.context = self.facts.context.as_ref().map(|context| limits.error_context(context));
        record
    }

    fn record_without_context(&self) -> ErrorRecord {
        let mut record = ErrorRecord::new(self.facts.kind, cut(self.message(), LONGEST_MESSAGE));
        record.code = self.facts.code.clone().map(|code| cut(code, LONGEST_CODE));
        record
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record_without_context().fmt(f)
    }
}

impl Error for StepError {}

impl From<BoxError> for StepError {
    fn from(error: BoxError) -> Self {
        Self::from_any(error)
    }
}

#[cfg(feature = "anyhow")]
#[cfg_attr(docsrs, doc(cfg(feature = "anyhow")))]
impl From<anyhow::Error> for StepError {
    fn from(error: anyhow::Error) -> Self {
        // A `StepError` to which a context was added still decides about retrying. Its text follows the
        // context's.
        let is_bare = error.chain().next().is_some_and(<dyn Error>::is::<Self>);
        match error.downcast_ref::<Self>().map(|own| own.facts.clone()) {
            Some(_) if is_bare => error.downcast().unwrap_or_else(|error| Self::from_any(error.into())),
            Some(facts) => Self { facts, error: error.into() },
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

/// Turns the error of a `Result` into a [`StepError`], for error types that do not convert by themselves.
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

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed: {0}")]
    struct Repeating(#[source] StepError);

    #[test]
    fn a_step_error_inside_another_error_decides() {
        let error = StepError::from_any(Outer(StepError::permanent("no such user").with_code("GONE")).into());
        assert!(!error.is_retryable());
        let record = error.record(&PayloadLimits::default());
        assert_eq!(record.to_string(), "the call failed: no such user [GONE]");
    }

    #[test]
    fn what_is_shown_is_what_is_recorded_with_the_code_once() {
        let gone = || StepError::permanent("no such user").with_code("GONE");
        let reset = || StepError::retryable(Outer(StepError::permanent(std::io::Error::other("reset"))));
        for (error, text) in [
            (gone(), "no such user [GONE]"),
            (StepError::from_any(Repeating(gone()).into()), "the call failed: no such user [GONE]"),
            (StepError::retryable(gone()), "no such user [GONE]"),
            (reset(), "the call failed: reset"),
        ] {
            assert_eq!(
                (error.to_string().as_str(), error.record(&PayloadLimits::default()).to_string().as_str()),
                (text, text)
            );
        }
        assert!(StepError::retryable(gone()).is_retryable());
        assert_eq!((gone().code(), gone().message().as_str()), (Some("GONE"), "no such user"));
    }

    #[test]
    fn any_other_error_is_retryable() {
        assert!(StepError::from_any("plain text".into()).is_retryable());
        assert!(StepError::from(std::io::Error::other("gone")).is_retryable());
    }
}
