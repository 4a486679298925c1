//! The faults of a template: a [`Diagnostic`] for each, [`Diagnostics`] for all.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{Serialize, Serializer};

use crate::fault_kind::{FaultKind, FaultNumber};

/// Whether a template with this fault can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The template is refused.
    Error,
    /// The template is used; the author has probably meant something else.
    Warning,
}

/// The kind of a fault, with its stable number. It is written as its word, `MISSING_DEP_REF`.
///
/// ```
/// use tasker_template::Code;
/// assert_eq!(Code::MissingDepRef.to_string(), "MISSING_DEP_REF");
/// assert_eq!(Code::MissingDepRef.number().to_string(), "TSK111");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum Code {
    /// The file cannot be read, is too large, or is not UTF-8.
    Unreadable = 101,
    /// The text is not YAML, or breaks a limit on depth, size or alias expansion.
    Syntax = 102,
    /// A mapping holds the same key twice.
    DuplicateKey = 103,
    /// A key that is not known here.
    UnknownKey = 104,
    /// A key that must be given is missing.
    MissingKey = 105,
    /// A value has the wrong type.
    WrongType = 106,
    /// A value has the right type but is out of range, or is not one of the accepted words.
    InvalidValue = 107,
    /// A number that is not kept as it is written: it has too many digits, or begins with a zero.
    InexactNumber = 108,
    /// The template has no steps.
    NoSteps = 109,
    /// Two steps have the same name.
    DuplicateStepName = 110,
    /// A dependency names no step of the template.
    MissingDepRef = 111,
    /// A step depends on itself.
    SelfDependency = 112,
    /// Steps depend on each other in a circle.
    CycleDetected = 113,
    /// A step has no dependency and no dependent in a template with several steps.
    OrphanStep = 114,
    /// A step's type and its settings contradict each other.
    StepType = 115,
    /// An `input_schema` or `result_schema` is not a valid JSON schema.
    InvalidSchema = 116,
    /// The template uses a feature that this version does not run.
    Unsupported = 117,
    /// No handler is registered for a callable.
    UnknownCallable = 401,
    /// A handler needs the result of a step that is not an ancestor of its own step.
    NotAnAncestor = 402,
    /// A handler's dependency names a handler that the template binds to another step.
    OtherHandler = 403,
    /// Two templates have the same namespace, name and version.
    DuplicateTemplate = 404,
    /// Two handlers have the same callable.
    DuplicateHandler = 405,
    /// No template has a step that the handler would run.
    UnusedHandler = 406,
    /// A handler takes a state that it is not given.
    MissingState = 407,
    /// Two states have the same type.
    DuplicateState = 408,
    /// No template is in the namespace.
    UnknownNamespace = 409,
    /// No template has the environment.
    UnknownEnvironment = 410,
    /// A setting of the builder has a value that it cannot have.
    OutOfRange = 411,
    /// The store cannot be used.
    UnusableStore = 412,
    /// The configuration of a handler is not what it takes.
    InvalidConfig = 413,
    /// No parameter of a handler takes a value of its configuration.
    UnusedConfig = 414,
    /// The types of a handler are others than the schemas of the template have.
    OtherType = 415,
}

impl Code {
    /// Its number, by which `docs/diagnostics.md` and `tasker explain` know it.
    #[must_use]
    pub fn number(self) -> FaultNumber {
        FaultNumber(self as u16)
    }

    /// Its row in the table of all kinds of faults.
    #[must_use]
    pub fn kind(self) -> &'static FaultKind {
        FaultKind::of(self.number()).expect("each code has its row")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().word().unwrap_or_default())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A range of a source text, as byte offsets, with the line and column of its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Span {
    /// The line of its start, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of its start in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

/// One fault of a template: what is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The kind of fault. In JSON, its `number` stands before it.
    #[serde(flatten, serialize_with = "numbered")]
    pub code: Code,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// The file, or the name that was given to a text that came from elsewhere; empty when it is in none.
    pub file: String,
    /// The line, counted from 1; 0 when the fault has no place in the text.
    pub line: usize,
    /// The column in characters, counted from 1; 0 when the fault has no place in the text.
    pub column: usize,
    /// The text of the line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_line: String,
    /// What to write instead, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    #[serde(skip)]
    pub(crate) marked: Range<usize>,
}

impl Diagnostic {
    /// A fault that has no place in a text, such as one that concerns several files or the handlers.
    ///
    /// ```
    /// use tasker_template::{Code, Diagnostic, Severity};
    /// let fault = Diagnostic::without_place(Severity::Warning, Code::UnusedHandler, "nothing runs it");
    /// assert_eq!(fault.to_string(), "warning[TSK406]: nothing runs it");
    /// ```
    #[must_use]
    pub fn without_place(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        let (file, source_line, message) = (String::new(), String::new(), message.into());
        Self {
            severity,
            code,
            message,
            file,
            line: 0,
            column: 0,
            source_line,
            suggestion: None,
            marked: 0..0,
        }
    }

    /// What is wrong, and after a semicolon what to write instead, where it is known.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("{}; {suggestion}", self.message),
            None => self.message.clone(),
        }
    }

    /// The column after the text that is at fault, counted from 1; 0 when the fault has no place in the text.
    ///
    /// ```
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [], retri: 1}";
    /// let faults = tasker_template::load_str("demo.yaml", yaml).unwrap_err();
    /// let unknown = faults.iter().find(|fault| fault.message.contains("retri")).unwrap();
    /// assert_eq!((unknown.column, unknown.end_column()), (53, 58));
    /// ```
    #[must_use]
    pub fn end_column(&self) -> usize {
        self.column + self.source_line.get(self.marked.clone()).map_or(0, |text| text.chars().count())
    }

    /// The fault drawn with its source line, in colours when `styled`.
    ///
    /// ```
    /// let faults = tasker_template::load_str("demo.yaml", "name: [").unwrap_err();
    /// assert!(faults.iter().next().unwrap().render(false).contains("demo.yaml:1:"));
    /// ```
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let number = self.code.number().to_string();
        let title = level.primary_title(self.message.as_str()).id(number.as_str());
        let group = if self.line == 0 {
            let group = Group::with_title(title);
            let group = match self.file.as_str() {
                "" => group,
                file => group.element(Level::NOTE.message(format!("in {file}"))),
            };
            match &self.suggestion {
                Some(suggestion) => group.element(Level::HELP.message(suggestion.as_str())),
                None => group,
            }
        } else {
            let mark = AnnotationKind::Primary.span(self.marked.clone());
            let mark = match &self.suggestion {
                Some(suggestion) => mark.label(suggestion.as_str()),
                None => mark,
            };
            let snippet = Snippet::source(self.source_line.as_str())
                .path(self.file.as_str())
                .line_start(self.line)
                .annotation(mark);
            Group::with_title(title).element(snippet)
        };
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// The number and the word of a code, as fields of its fault.
fn numbered<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Numbered {
        number: FaultNumber,
        code: Code,
    }
    Numbered { number: code.number(), code: *code }.serialize(serializer)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The faults that were found. For a file, errors come first, then likely slips, then other warnings, each in
/// the order of the text.
///
/// The first 50 errors and the first 50 warnings of a file are kept, and the others are only counted. When a
/// function returns this as its error, at least one of the faults is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    #[serde(skip)]
    errors: usize,
    #[serde(skip)]
    warnings: usize,
}

/// The number of faults of each severity that are kept. One slip can cause tens of thousands of faults.
pub(crate) const MAX_KEPT: usize = 50;

impl Diagnostics {
    /// Whether no fault was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many faults were found, including those that are only counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors + self.warnings
    }

    /// How many faults of this severity were found, including those that are only counted.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
        }
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The faults that were kept.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.kept.iter()
    }

    /// A line about the faults that are only counted: `and 9 more faults`. `None` when all were kept.
    ///
    /// ```
    /// let steps: String = (0..60).map(|step| format!("{{name: s{step}}}, ")).collect();
    /// let yaml = format!("{{name: a, namespace_name: b, version: 1, steps: [{steps}]}}");
    /// let faults = tasker_template::load_str("demo.yaml", &yaml).unwrap_err();
    /// assert_eq!((faults.len(), faults.iter().count()), (60, 50));
    /// assert_eq!(faults.rest().as_deref(), Some("and 10 more faults"));
    /// ```
    #[must_use]
    pub fn rest(&self) -> Option<String> {
        match self.len() - self.kept.len() {
            0 => None,
            1 => Some("and 1 more fault".to_owned()),
            more => Some(format!("and {more} more faults")),
        }
    }

    /// Adds a fault. From the 51st of its severity on, faults are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MAX_KEPT {
            self.kept.push(diagnostic);
        }
    }

    /// Adds the faults of another collection, such as another file's. All that it has kept are kept here too.
    pub fn extend(&mut self, others: Self) {
        self.kept.extend(others.kept);
        self.errors += others.errors;
        self.warnings += others.warnings;
    }

    /// Counts faults that were found and not kept.
    pub(crate) fn count_more(&mut self, errors: usize, warnings: usize) {
        self.errors += errors;
        self.warnings += warnings;
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        let mut all = Self::default();
        all.push(one);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.kept.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            one.fmt(f)?;
        }
        self.rest().map_or(Ok(()), |rest| write!(f, "\n\n{rest}"))
    }
}

impl std::error::Error for Diagnostics {}
