//! An error together with its causes, as people read it.

use std::error::Error;

/// The error and its causes in one line, joined by `: `.
///
/// The text of a Tasker error leaves out its causes; print it through this function to show them. Errors of
/// other crates often repeat the text of their causes: a cause is left out when the text before ends with it.
///
/// ```
/// use tasker::error::chain;
/// let error = "12x".parse::<u32>().unwrap_err();
/// assert_eq!(chain(&error), "invalid digit found in string");
/// ```
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        append(&mut text, &cause.to_string());
        source = cause.source();
    }
    text
}

/// Appends the text of a cause, unless `text` ends with it.
pub fn append(text: &mut String, cause: &str) {
    if !text.ends_with(cause) {
        text.push_str(": ");
        text.push_str(cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] Repeats);

    #[derive(Debug, thiserror::Error)]
    #[error("the disk failed: {0}")]
    struct Repeats(#[source] std::io::Error);

    #[test]
    fn each_cause_is_told_once() {
        let error = Outer(Repeats(std::io::Error::other("no space left")));
        assert_eq!(chain(&error), "cannot open the store: the disk failed: no space left");
    }
}
