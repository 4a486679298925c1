//! What is kept of an error with its attempt.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::word::words;

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

words! {
    /// Whether another attempt can help.
    ErrorKind, "kind of error" {
        /// It may: the step is tried again as its retry policy says.
        Retryable = "retryable",
        /// It cannot: the step fails at once.
        Permanent = "permanent",
    }
}

/// What is kept of an error with its attempt. Its `Display` is the message, followed by the code in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorRecord {
    /// Whether another attempt could have helped.
    pub kind: ErrorKind,
    /// The error and its sources, joined by `: `.
    pub message: String,
    /// A word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Facts for whoever looks into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
}

impl ErrorRecord {
    /// The record of an error with this text.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, context: None }
    }

    /// With a word for programs, such as `CARD_DECLINED`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With facts for whoever looks into it.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Value>) -> Self {
        self.context = Some(context.into());
        self
    }
}

impl fmt::Display for ErrorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} [{code}]", self.message),
            None => f.write_str(&self.message),
        }
    }
}
