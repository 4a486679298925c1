//! The text of a template, and faults that point into it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Severity, Span};

/// The text of a template, and its name in messages.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    /// The offset of each line's start, so that a fault's line is found without reading the text before it.
    lines: Arc<[usize]>,
}

impl Source {
    /// A source called `name`.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into(), lines: line_starts(text) }
    }

    /// The file, or the name that was given to a text that came from elsewhere.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line of the text without its end, counted from 1; empty when there is none.
    ///
    /// ```
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
    /// assert_eq!((loaded.source().line(1), loaded.source().line(2)), (yaml, ""));
    /// ```
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        let Some(index) = line.checked_sub(1) else { return "" };
        let Some(begin) = self.lines.get(index).copied() else { return "" };
        let end = self.lines.get(index + 1).copied().unwrap_or(self.text.len());
        self.text[begin..end].trim_end_matches(['\r', '\n'])
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

    /// A fault at a place of this source.
    ///
    /// ```
    /// use tasker_template::{Code, Severity, load_str};
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let loaded = load_str("demo.yaml", yaml).unwrap();
    /// let (span, message) = (loaded.step_span(0), "looks odd".to_owned());
    /// let fault = loaded.source().diagnostic(Severity::Warning, span, Code::StepType, message, None);
    /// assert_eq!(fault.severity, Severity::Warning);
    /// ```
    #[must_use]
    pub fn diagnostic(
        &self,
        severity: Severity,
        span: Span,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) -> Diagnostic {
        let (source_line, marked) = self.excerpt(span);
        Diagnostic {
            severity,
            code,
            message: printable(&message),
            file: self.name.to_string(),
            line: span.line,
            column: span.column,
            source_line,
            suggestion: suggestion.map(|suggestion| shorten(&suggestion).into_owned()),
            marked,
        }
    }

    /// The text around a place, at most its line and some hundred bytes of it, and the range of the place in that
    /// text.
    ///
    /// ```
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
    /// let (text, range) = loaded.source().excerpt(loaded.callable_span(0));
    /// assert_eq!((text.as_str(), &text[range]), (yaml, "C"));
    /// ```
    #[must_use]
    pub fn excerpt(&self, span: Span) -> (String, Range<usize>) {
        let Some(index) = span.line.checked_sub(1) else { return (String::new(), 0..0) };
        let Some(begin) = self.lines.get(index).copied() else { return (String::new(), 0..0) };
        let line = self.line(span.line);
        // A place without an offset has 0 there; only then the characters of the line are counted.
        let offset = span.start.checked_sub(begin).filter(|offset| {
            (*offset > 0 || span.column <= 1) && *offset <= line.len() && line.is_char_boundary(*offset)
        });
        let from = offset.unwrap_or_else(|| {
            line.char_indices().nth(span.column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
        });
        let to = line.ceil_char_boundary((from + span.len.max(1)).min(line.len())).max(from);
        crop(line, from..to)
    }
}

/// A line ends, as in YAML, with `\n`, `\r\n` or `\r`.
fn line_starts(text: &str) -> Arc<[usize]> {
    let bytes = text.as_bytes();
    let ends_at = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    std::iter::once(0).chain((0..bytes.len()).filter(|at| ends_at(*at)).map(|at| at + 1)).collect()
}

/// A name that is quoted in a message may be megabytes long: at most this many characters of it are kept.
const LONGEST_MESSAGE: usize = 1_000;

/// A message that is not too long, without control characters: a quoted name may contain some, which a terminal would
/// execute.
pub(crate) fn printable(message: &str) -> String {
    shorten(message).replace(char::is_control, "\u{fffd}")
}

fn shorten(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => Cow::Owned(format!("{}\u{2026}", &message[..end])),
        None => Cow::Borrowed(message),
    }
}

/// A line of a hostile file may be megabytes long: at most this many bytes of it are kept.
const LONGEST_LINE: usize = 400;

fn crop(line: &str, marked: Range<usize>) -> (String, Range<usize>) {
    if line.len() <= LONGEST_LINE {
        return (line.to_owned(), marked);
    }
    let start = line.floor_char_boundary(marked.start.saturating_sub(LONGEST_LINE / 2));
    let end = line.floor_char_boundary((start + LONGEST_LINE).min(line.len()));
    let marked_end = line.floor_char_boundary(marked.end.min(end)).max(marked.start);
    let marked = marked.start - start..marked_end - start;
    (line[start..end].to_owned(), marked)
}
