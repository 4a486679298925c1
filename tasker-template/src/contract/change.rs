//! One change, and whom it breaks.

use std::fmt;

use serde::{Serialize, Serializer};

/// A change from one template to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What is different.
    pub kind: ChangeKind,
    /// Whom it breaks.
    pub breaks: Breaks,
    /// What it is about, as a JSON pointer in which a step stands by its name: `/steps/charge/retry`. A step that was
    /// renamed has its new name.
    pub path: String,
    /// What changed, and why that breaks whom it breaks: a sentence.
    pub message: String,
    /// Where it stands in the template before; `None` where that is no file, or has no such thing.
    pub before: Option<ChangePlace>,
    /// Where it stands in the template after.
    pub after: Option<ChangePlace>,
}

/// A place in the file of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangePlace {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for ChangePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a [`Change`] is about. There may be more kinds in later versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// The namespace.
    Namespace,
    /// The name of the template.
    Name,
    /// The version.
    Version,
    /// The version is the same, and the template is not.
    VersionKept,
    /// What people read: descriptions, metadata, the system that a step talks to.
    Description,
    /// The schema of contexts.
    InputSchema,
    /// Limits on how long a task may wait.
    Lifecycle,
    /// A step that is new.
    StepAdded,
    /// A step that is gone.
    StepRemoved,
    /// A step that has another name: its handler is the same, and what it waits for, or what waits for it.
    StepRenamed,
    /// The order of the steps in the file.
    StepOrder,
    /// The type of a step.
    StepType,
    /// The callable or the method that runs a step.
    Handler,
    /// The configuration of a step's handler.
    Initialization,
    /// What a step waits for.
    Dependencies,
    /// How often and how late a step is tried again.
    Retry,
    /// How long an attempt may take.
    Timeout,
    /// The schema of a step's results.
    ResultSchema,
    /// The events that a step publishes.
    Events,
    /// How a batch is sliced.
    BatchConfig,
    /// The overrides of an environment.
    Environment,
}

/// Whom a change breaks, or can break.
///
/// ```
/// use tasker_template::contract::Breaks;
/// assert!(!Breaks::NOTHING.is_breaking());
/// assert_eq!(Breaks::CALLERS.and(Breaks::TASKS_IN_FLIGHT), Breaks::BOTH);
/// assert_eq!(Breaks::BOTH.words(), ["tasks_in_flight", "callers"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Breaks {
    /// Tasks that were created with the template before, and are run by a program with the one after.
    pub tasks_in_flight: bool,
    /// Those who create tasks, read their results, or name their steps.
    pub callers: bool,
}

impl Breaks {
    /// The change breaks nobody.
    pub const NOTHING: Self = Self { tasks_in_flight: false, callers: false };
    /// The change breaks tasks in flight.
    pub const TASKS_IN_FLIGHT: Self = Self { tasks_in_flight: true, callers: false };
    /// The change breaks those who create tasks or read their results.
    pub const CALLERS: Self = Self { tasks_in_flight: false, callers: true };
    /// The change breaks both.
    pub const BOTH: Self = Self { tasks_in_flight: true, callers: true };

    /// Whether it breaks anybody.
    #[must_use]
    pub fn is_breaking(self) -> bool {
        self.tasks_in_flight || self.callers
    }

    /// Whom one or the other breaks.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            tasks_in_flight: self.tasks_in_flight || other.tasks_in_flight,
            callers: self.callers || other.callers,
        }
    }

    /// Whom it breaks, as JSON has it.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let words = [("tasks_in_flight", self.tasks_in_flight), ("callers", self.callers)];
        words.into_iter().filter(|(_, breaks)| *breaks).map(|(word, _)| word).collect()
    }
}

impl Serialize for Breaks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.words().serialize(serializer)
    }
}
