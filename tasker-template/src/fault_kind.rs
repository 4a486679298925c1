//! The kinds of faults, each with its stable number: `TSK111`.

use std::fmt;

use serde::{Serialize, Serializer};

/// The number of a kind of fault, written `TSK111`. A number never changes its meaning.
///
/// The hundreds say who finds the fault: 1 the reader of templates, 2 `workflow!`, 3 `#[step_handler]`,
/// 4 the start of a runtime, 5 an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultNumber(pub(crate) u16);

impl fmt::Display for FaultNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TSK{}", self.0)
    }
}

impl Serialize for FaultNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A kind of fault: what `docs/diagnostics.md` has a section about, and `tasker explain` explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultKind {
    number: FaultNumber,
    word: Option<&'static str>,
    title: &'static str,
}

impl FaultKind {
    const fn new(number: u16, word: &'static str, title: &'static str) -> Self {
        Self { number: FaultNumber(number), word: Some(word), title }
    }

    const fn compiler(number: u16, title: &'static str) -> Self {
        Self { number: FaultNumber(number), word: None, title }
    }

    /// All kinds, in the order of their numbers.
    ///
    /// ```
    /// use tasker_template::FaultKind;
    /// let kind = FaultKind::all().iter().find(|kind| kind.number().to_string() == "TSK111").unwrap();
    /// assert_eq!(kind.word(), Some("MISSING_DEP_REF"));
    /// ```
    #[must_use]
    pub fn all() -> &'static [Self] {
        KINDS
    }

    /// The kinds that are called this: by number or word, in any case. Two kinds may share a word.
    ///
    /// ```
    /// use tasker_template::FaultKind;
    /// let title = FaultKind::called("missing_dep_ref").next().unwrap().title();
    /// assert_eq!(title, "a name is that of no step");
    /// assert_eq!(FaultKind::called("tsk111").next().unwrap().title(), title);
    /// ```
    pub fn called(name: &str) -> impl Iterator<Item = &'static Self> {
        KINDS.iter().filter(move |kind| {
            kind.number.to_string().eq_ignore_ascii_case(name)
                || kind.number.0.to_string() == name
                || kind.word.is_some_and(|word| word.eq_ignore_ascii_case(name))
        })
    }

    /// The kind of this number.
    pub(crate) fn of(number: FaultNumber) -> Option<&'static Self> {
        KINDS.binary_search_by_key(&number, |kind| kind.number).ok().map(|index| &KINDS[index])
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> FaultNumber {
        self.number
    }

    /// Its word for programs, such as `MISSING_DEP_REF`: the `code` of a fault in JSON, and of a failed
    /// attempt. `None` for what the compiler reports.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        self.word
    }

    /// What such a fault is, in lower case and without a full stop.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.title
    }
}

/// In the order of the numbers. A number that is no longer used is not given to another kind.
#[rustfmt::skip]
static KINDS: &[FaultKind] = &[
    FaultKind::new(101, "UNREADABLE", "a template cannot be read"),
    FaultKind::new(102, "SYNTAX", "the text is not YAML, or breaks a limit"),
    FaultKind::new(103, "DUPLICATE_KEY", "the same thing is said twice"),
    FaultKind::new(104, "UNKNOWN_KEY", "a key has no meaning where it stands"),
    FaultKind::new(105, "MISSING_KEY", "a key that must be there is missing"),
    FaultKind::new(106, "WRONG_TYPE", "a value is of the wrong type"),
    FaultKind::new(107, "INVALID_VALUE", "a value is out of range, or none of the words that are known"),
    FaultKind::new(108, "INEXACT_NUMBER", "a number would not be kept as it is written"),
    FaultKind::new(109, "NO_STEPS", "the template has no steps"),
    FaultKind::new(110, "DUPLICATE_STEP_NAME", "two steps have the same name"),
    FaultKind::new(111, "MISSING_DEP_REF", "a name is that of no step"),
    FaultKind::new(112, "SELF_DEPENDENCY", "a step depends on itself"),
    FaultKind::new(113, "CYCLE_DETECTED", "steps wait for each other"),
    FaultKind::new(114, "ORPHAN_STEP", "a step has no dependency, and no step depends on it"),
    FaultKind::new(115, "STEP_TYPE", "a step's type and its settings contradict each other"),
    FaultKind::new(116, "INVALID_SCHEMA", "a schema is no JSON schema"),
    FaultKind::new(117, "UNSUPPORTED", "this version does not run what the template asks for"),

    FaultKind::compiler(201, "a `workflow!` is not written as one"),
    FaultKind::compiler(202, "the template of a workflow cannot be read"),
    FaultKind::compiler(203, "no listed handler has a step's callable"),
    FaultKind::compiler(204, "no step runs a listed handler"),
    FaultKind::compiler(205, "two listed handlers have the same callable"),
    FaultKind::compiler(206, "a handler is listed for a step that it does not run"),
    FaultKind::compiler(207, "a handler of a workflow reads a step that is not there"),
    FaultKind::compiler(208, "a handler of a workflow reads a step that may not be complete by then"),
    FaultKind::compiler(209, "a handler of a workflow reads a step that another handler runs"),
    FaultKind::compiler(210, "a step is read as another type than its handler returns"),
    FaultKind::compiler(211, "the input of a workflow has no such field"),
    FaultKind::compiler(212, "a field of the input is taken as another type"),
    FaultKind::compiler(213, "the result of a step cannot be read back"),
    FaultKind::compiler(214, "the input of a workflow is not a plain struct"),
    FaultKind::compiler(215, "what a workflow lists is no handler"),
    FaultKind::compiler(216, "the fields of a workflow's input are not known"),
    FaultKind::compiler(217, "a step does not give its handler a value that it takes"),

    FaultKind::compiler(301, "the callable is missing, or is not one text in quotes"),
    FaultKind::compiler(302, "an argument is unknown, given twice, or not of its form"),
    FaultKind::compiler(303, "an attribute of a parameter is unknown, or one too many"),
    FaultKind::compiler(304, "an input is not one field"),
    FaultKind::compiler(305, "a dependency is not one handler or step"),
    FaultKind::compiler(306, "two parameters ask for the same value"),
    FaultKind::compiler(307, "a step waits for itself"),
    FaultKind::compiler(308, "a parameter is not of an owned type that is known"),
    FaultKind::compiler(309, "a parameter comes from nowhere"),
    FaultKind::compiler(310, "a state is that of another crate"),
    FaultKind::compiler(311, "a result is not of an owned type that is known"),
    FaultKind::compiler(312, "a return type hides its `Result`"),
    FaultKind::compiler(313, "an error cannot be recorded"),
    FaultKind::compiler(314, "`#[step_handler]` is not on a function or an `impl` block"),
    FaultKind::compiler(315, "a function is not one that the runtime can call"),
    FaultKind::compiler(316, "a dependency returns another type than the parameter expects"),
    FaultKind::compiler(317, "what a dependency names is no handler"),
    FaultKind::compiler(318, "an input cannot be validated"),
    FaultKind::compiler(319, "a configuration is not one key"),
    FaultKind::compiler(320, "an entry point is not a method with `&self`"),

    FaultKind::new(401, "UNKNOWN_CALLABLE", "no handler is registered for a callable"),
    FaultKind::new(402, "NOT_AN_ANCESTOR", "a handler reads a step that may not be complete by then"),
    FaultKind::new(403, "OTHER_HANDLER", "the step that a handler reads is run by another handler"),
    FaultKind::new(404, "DUPLICATE_TEMPLATE", "two templates have the same namespace, name and version"),
    FaultKind::new(405, "DUPLICATE_HANDLER", "two handlers have the same callable"),
    FaultKind::new(406, "UNUSED_HANDLER", "no template runs a handler"),
    FaultKind::new(407, "MISSING_STATE", "a handler takes a state that it is not given"),
    FaultKind::new(408, "DUPLICATE_STATE", "two states have the same type"),
    FaultKind::new(409, "UNKNOWN_NAMESPACE", "no template is in a namespace"),
    FaultKind::new(410, "UNKNOWN_ENVIRONMENT", "no template has an environment"),
    FaultKind::new(411, "OUT_OF_RANGE", "a setting of the builder is out of range"),
    FaultKind::new(412, "UNUSABLE_STORE", "the store cannot be used"),
    FaultKind::new(413, "INVALID_CONFIG", "the configuration of a handler is not what it takes"),
    FaultKind::new(414, "UNUSED_CONFIG", "a handler does not take a value of its configuration"),
    FaultKind::new(415, "OTHER_TYPE", "the types of a handler are others than the schemas of its template have"),

    FaultKind::new(501, "INVALID_INPUT", "the task's context is not what the handler takes"),
    FaultKind::new(502, "MISSING_DEPENDENCY", "a step that the handler reads has no result"),
    FaultKind::new(503, "INCOMPATIBLE_RESULT", "a stored result is not of the type that the handler reads"),
    FaultKind::new(504, "RESULT_SCHEMA", "a result does not fit the step's schema"),
    FaultKind::new(505, "RESULT_TOO_LARGE", "a result has too many bytes"),
    FaultKind::new(506, "RESULT_TOO_DEEP", "a result is nested too deeply"),
    FaultKind::new(507, "INVALID_RESULT", "a result cannot be written as JSON"),
    FaultKind::new(508, "TIMEOUT", "an attempt took too long"),
    FaultKind::new(509, "PANIC", "a handler panicked"),
    FaultKind::new(510, "WORKER_DIED", "a worker died during an attempt"),
    FaultKind::new(511, "CANCELLED", "an operator ended an attempt"),
    FaultKind::new(512, "TRANSACTION", "a statement of the handler's failed"),
    FaultKind::new(513, "RECORD_REFUSED", "the store could not hold what came of an attempt"),
    FaultKind::new(514, "UNREADABLE", "the store holds something that this program cannot read"),
    FaultKind::new(515, "INVALID_CONFIG", "the configuration of a handler is not what it takes"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_a_word_is_used_once_a_hundred() {
        assert!(KINDS.is_sorted_by(|one, next| one.number < next.number));
        for (index, kind) in KINDS.iter().enumerate() {
            let is_twin = |other: &&FaultKind| {
                other.word.is_some() && other.word == kind.word && other.number.0 / 100 == kind.number.0 / 100
            };
            assert_eq!(KINDS[index + 1..].iter().find(is_twin), None, "{kind:?}");
            assert_eq!(FaultKind::of(kind.number), Some(kind));
        }
    }
}
