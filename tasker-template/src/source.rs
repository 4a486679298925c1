//! The text of a template, and faults that point into it.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Severity, Span};

/// The text of a template and what it is called in messages.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// A source called `name`.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The file, or the name that was given to a text that came from elsewhere.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.start + span.len).unwrap_or_default()
    }

    /// An error at a place of this source.
    ///
    /// ```
    /// use tasker_template::{Code, load_str};
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let loaded = load_str("demo.yaml", yaml).unwrap();
    /// let fault = loaded.source().error(loaded.callable_span(0), Code::UnknownCallable, "no handler", None);
    /// assert_eq!((fault.line, fault.column), (1, 80));
    /// ```
    #[must_use]
    pub fn error(
        &self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) -> Diagnostic {
        self.diagnostic(Severity::Error, span, code, message.into(), suggestion)
    }

    /// A warning at a place of this source.
    pub(crate) fn warning(
        &self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) -> Diagnostic {
        self.diagnostic(Severity::Warning, span, code, message.into(), suggestion)
    }

    fn diagnostic(
        &self,
        severity: Severity,
        span: Span,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) -> Diagnostic {
        let line_text =
            span.line.checked_sub(1).and_then(|line| self.text.lines().nth(line)).unwrap_or_default();
        let from =
            line_text.char_indices().nth(span.column.saturating_sub(1)).map_or(line_text.len(), |(at, _)| at);
        let to = line_text.ceil_char_boundary((from + span.len.max(1)).min(line_text.len())).max(from);
        let (source_line, marked) = crop(line_text, from..to);
        Diagnostic {
            severity,
            code,
            // A name that is quoted in it may hold what would steer a terminal.
            message: message.replace(char::is_control, "\u{fffd}"),
            file: self.name.to_string(),
            line: span.line,
            column: span.column,
            source_line,
            suggestion,
            marked,
        }
    }
}

/// A line of a hostile file may be megabytes long: at most this many bytes of it are kept.
const LONGEST_LINE: usize = 400;

fn crop(line: &str, marked: std::ops::Range<usize>) -> (String, std::ops::Range<usize>) {
    if line.len() <= LONGEST_LINE {
        return (line.to_owned(), marked);
    }
    let start = line.floor_char_boundary(marked.start.saturating_sub(LONGEST_LINE / 2));
    let end = line.floor_char_boundary((start + LONGEST_LINE).min(line.len()));
    let marked_end = line.floor_char_boundary(marked.end.min(end)).max(marked.start);
    let marked = marked.start - start..marked_end - start;
    (line[start..end].to_owned(), marked)
}
