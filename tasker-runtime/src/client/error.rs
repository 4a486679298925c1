//! The errors of the operations on tasks: creating them, reading them, operators' actions.

use serde_json::Value;
use tasker_store::{BoxError, DEEPEST, LARGEST, LimitScope, StoreError, TaskId, counted};

use crate::build::violations::Violations;
use crate::client::task::TaskFailure;
use crate::handler::step_error::StepError;

/// The error of an operation on tasks.
///
/// The text of an error leaves out its cause, which is its [`source`](std::error::Error::source): print the
/// error through [`chain`](crate::error::chain), or return it from `main` as a [`Report`](crate::Report).
///
/// A handler that returns one with `?` fails permanently, unless the store's failure is temporary or the
/// runtime is shutting down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No template has this namespace, name and version.
    #[error("there is no template `{wanted}`; {hint}")]
    UnknownTemplate {
        /// What was asked for.
        wanted: String,
        /// What there is.
        hint: String,
    },
    /// The template has several versions, and the new task does not say which; nothing was created.
    #[error(
        "`{template}` has {}: say which with `.version(…)`, or ask for the latest with `.latest()`",
        described(versions)
    )]
    #[non_exhaustive]
    SeveralVersions {
        /// Its namespace and name.
        template: String,
        /// The versions, the latest last.
        versions: Vec<String>,
    },
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// The task has no such step.
    #[error("task {task} has no step `{step}`; {hint}")]
    #[non_exhaustive]
    UnknownStep {
        /// The task.
        task: TaskId,
        /// What was asked for.
        step: String,
        /// What there is.
        hint: String,
    },
    /// The context of a task cannot be used; nothing was created or changed.
    #[error(transparent)]
    InvalidContext(#[from] ContextError),
    /// A text that says who asks for something, or by what it is found, is not one that every store keeps as
    /// it is; nothing was created or changed.
    #[error("{what} {reason}")]
    #[non_exhaustive]
    InvalidText {
        /// The text's name, such as `the idempotency key`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The priority of a new task is out of range; nothing was created.
    #[error("the priority {0} is out of range: -100 to 100")]
    InvalidPriority(i32),
    /// There is a task of the same [identity](crate::IdentityStrategy); nothing was created. The transaction
    /// of a `create_task_in` goes on.
    #[error("{}", already_exists(*.task, *.same_context, .key.as_deref()))]
    #[non_exhaustive]
    AlreadyExists {
        /// The other task. `None` only from a `create_task_in` whose own transaction has created it, so that
        /// it is not visible yet.
        task: Option<TaskId>,
        /// Whether both contexts are the same, apart from white space and the order of keys. With an
        /// idempotency key they may differ. `None` when the other task is not visible.
        same_context: Option<bool>,
        /// The idempotency key that both have; `None` when the tasks are the same without one.
        key: Option<String>,
    },
    /// The statement in the caller's transaction failed.
    #[error("the task could not be created in the transaction")]
    Transaction(#[source] BoxError),
    /// A fleet limit cannot be set or removed; nothing was changed.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// An operator's action is not possible in the state of the task or step; nothing was changed.
    #[error("{what} is {state}: `{action}` is not possible; {way_out}")]
    #[non_exhaustive]
    NotPossible {
        /// The action.
        action: &'static str,
        /// The task or step.
        what: String,
        /// The state that it is in.
        state: String,
        /// What to do instead.
        way_out: &'static str,
    },
    /// A step cannot be resolved, for that would leave it without a result that another step needs, or may
    /// need; nothing was changed.
    #[error("step `{step}` of task {task} cannot be resolved: {}; complete it with a result \
        (`complete_step`, `task complete`), or resolve it all the same (`resolve_step_anyway`, `--force`)",
        needs(.needed_by, .unknown))]
    #[non_exhaustive]
    ResultNeeded {
        /// The task.
        task: TaskId,
        /// The step.
        step: String,
        /// The steps whose handlers fail without its result.
        needed_by: Vec<String>,
        /// The steps that depend on it of which it is not known whether they need its result: this program has
        /// no handler for them, or one that does not declare what it reads.
        unknown: Vec<String>,
    },
    /// A result that an operator gave is not valid; nothing was changed.
    #[error("the result for step `{step}` of task {task} cannot be taken: {reason}")]
    #[non_exhaustive]
    ResultRefused {
        /// The task.
        task: TaskId,
        /// The step.
        step: String,
        /// What is wrong with the result.
        reason: String,
    },
    /// The task has settled in another state than `complete`.
    #[error(transparent)]
    Failed(Box<TaskFailure>),
    /// This runtime has been shut down.
    #[error("this runtime has been shut down")]
    ShutDown,
}

/// Why the context of a task cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// It is not a JSON object.
    #[error("the context of a task must be a JSON object: {0}")]
    NotAnObject(String),
    /// It holds a number that JSON does not have, such as NaN, or its `Serialize` fails.
    #[error("the context cannot be written as JSON: {0}")]
    Unwritable(String),
    /// It is larger than [`Builder::max_context_bytes`](crate::Builder::max_context_bytes) allows.
    #[error(
        "the context has {} bytes, and may have {limit} (`max_context_bytes`)", counted(*.bytes, LARGEST)
    )]
    TooLarge {
        /// How many bytes of JSON it has; one more than 256 MiB when it has more than can be counted.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It is nested deeper than [`Builder::max_depth`](crate::Builder::max_depth) allows.
    #[error("the context is nested {} levels deep, and may be {limit} (`max_depth`)", counted(*.depth, DEEPEST))]
    TooDeep {
        /// How many levels of lists and objects it has; 128 when it has more than can be counted.
        depth: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It does not fit the `input_schema` of the template.
    #[error("the context does not fit the `input_schema` of the template: {0}")]
    Schema(Violations),
    /// The input of a workflow is not valid, as its type's `Validate` says.
    #[error("{message}")]
    #[non_exhaustive]
    Invalid {
        /// Each field and what is wrong with it.
        message: String,
        /// The fields, each with a code and a message.
        fields: Value,
    },
}

impl ContextError {
    /// The error of an input that a handler would refuse for the same reason.
    pub(crate) fn invalid(error: &StepError) -> Self {
        let fields = error.context().and_then(|context| context.get("fields")).cloned().unwrap_or_default();
        Self::Invalid { message: error.message(), fields }
    }
}

/// Why a limit cannot be set or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// It limits nothing.
    #[error("the limit on {0} needs a concurrency or a rate")]
    Empty(LimitScope),
    /// There is no limit on this.
    #[error("there is no limit on {scope}; {hint}")]
    #[non_exhaustive]
    Unknown {
        /// What was asked for.
        scope: LimitScope,
        /// What there is.
        hint: String,
    },
}

fn needs(needed_by: &[String], unknown: &[String]) -> String {
    let names = |names: &[String]| format!("`{}`", names.join("`, `"));
    let needed = (!needed_by.is_empty()).then(|| format!("its result is needed by {}", names(needed_by)));
    let unknown = (!unknown.is_empty())
        .then(|| format!("it is not known here whether {} can do without its result", names(unknown)));
    needed.into_iter().chain(unknown).collect::<Vec<_>>().join(", and ")
}

/// `version 1.0.0`, or `versions 1.0.0, 1.1.0 and 2.0.0`.
pub(super) fn described(versions: &[String]) -> String {
    match versions {
        [only] => format!("version {only}"),
        [first @ .., last] => format!("versions {} and {last}", first.join(", ")),
        [] => "no version".to_owned(),
    }
}

fn already_exists(task: Option<TaskId>, same_context: Option<bool>, key: Option<&str>) -> String {
    let what =
        task.map_or_else(|| "another task of the same transaction".to_owned(), |id| format!("task {id}"));
    match (key, same_context) {
        (Some(key), Some(false)) => format!(
            "{what} has the idempotency key `{key}` already, and another context; use another key for \
             another task"
        ),
        (Some(key), _) => {
            format!("{what} is the same: it has the idempotency key `{key}`; nothing was created")
        }
        (None, _) => format!("{what} is the same: it has the same template and context; nothing was created"),
    }
}

/// For handlers that create tasks: an error that may not occur the next time is retryable.
impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        let is_passing = match &error {
            Error::Store(error) => !error.is_lasting(),
            Error::ShutDown => true,
            _ => false,
        };
        if is_passing { Self::retryable(error) } else { Self::permanent(error) }
    }
}
