//! What is kept of an error with its attempt.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{Json, beginning, unreadable};
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

    /// Reads a stored record, whatever it holds, so that one that cannot be read hides nothing else: of that one
    /// as much as can be had, with the code `UNREADABLE` if that is nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        /// A record whose context is not looked at.
        #[derive(Deserialize)]
        struct WithoutContext {
            kind: ErrorKind,
            message: String,
            #[serde(default)]
            code: Option<String>,
            #[serde(default)]
            context: Option<Json>,
        }
        if let Ok(record) = serde_json::from_str(text) {
            return record;
        }
        match serde_json::from_str(text) {
            Ok(WithoutContext { kind, message, code, context }) => {
                Self { kind, message, code, context: context.map(|context| unreadable(context.get())) }
            }
            Err(_) => {
                let message =
                    format!("the record of this error cannot be read; it begins with `{}`", beginning(text));
                Self::new(ErrorKind::Permanent, message).with_code("UNREADABLE")
            }
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_read_as_far_as_it_can_be() {
        let record =
            ErrorRecord::new(ErrorKind::Retryable, "busy").with_code("BUSY").with_context(json!([1]));
        assert_eq!(ErrorRecord::read(&serde_json::to_string(&record).unwrap()), record);
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let text = format!(r#"{{"kind":"retryable","message":"busy","code":"BUSY","context":{deep}}}"#);
        let read = ErrorRecord::read(&text);
        assert_eq!((read.kind, read.to_string().as_str()), (ErrorKind::Retryable, "busy [BUSY]"));
        let beginning = format!("{}… (1000 bytes in all)", "[".repeat(200));
        assert_eq!(read.context, Some(json!({ "unreadable": beginning })));
        for text in ["", "nonsense", "7", r#"{"kind":"odd","message":"x"}"#, r#"{"kind":"permanent","#] {
            let read = ErrorRecord::read(text);
            assert_eq!(read.code.as_deref(), Some("UNREADABLE"));
            assert!(read.message.ends_with(&format!("`{text}`")), "{read}");
        }
    }
}
