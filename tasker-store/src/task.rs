//! Tasks: what is needed to create one, and the records that a store returns.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_template::Graph;

use crate::action::ActionRecord;
use crate::attempt::AttemptRecord;
use crate::claim::Claimed;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::{Json, beginning};
use crate::key::StepKey;
use crate::progress::{RunProgress, ready_at};
use crate::state::{StepState, TaskState};

/// A task to create.
#[derive(Clone, Debug)]
pub struct NewTaskRecord {
    /// Its id.
    pub id: TaskId,
    /// The template's snapshot; the store must have it already.
    pub template: TemplateId,
    /// The id that it shares with related work.
    pub correlation_id: uuid::Uuid,
    /// Its input.
    pub context: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its roots become due; `None` for at once.
    pub run_at: Option<Timestamp>,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// A hash that no other task in the store may have; `None` when the task may be repeated.
    pub identity: Option<Identity>,
    /// Who asked for it, and what for.
    pub origin: Origin,
    /// The graph of its template.
    pub graph: Arc<Graph>,
}

/// A hash of what makes two tasks the same: 32 bytes.
pub type Identity = [u8; 32];

/// Who asked for a task, and what for.
///
/// ```
/// let origin = tasker::task::Origin::new().initiator("ada").tag("urgent");
/// assert_eq!(origin.tags, ["urgent"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Origin {
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<String>,
    /// The system that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_system: Option<String>,
    /// Why it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The correlation id of the work that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_correlation_id: Option<uuid::Uuid>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Origin {
    /// Reads a stored origin, whatever it holds. Of one that cannot be read, the reason says so.
    #[must_use]
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| {
            Self::new()
                .reason(format!("who asked for it cannot be read; it begins with `{}`", beginning(text)))
        })
    }

    /// An origin without any of its fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who asked for the task.
    #[must_use]
    pub fn initiator(mut self, name: impl Into<String>) -> Self {
        self.initiator = Some(name.into());
        self
    }

    /// The system that the task came from.
    #[must_use]
    pub fn source_system(mut self, name: impl Into<String>) -> Self {
        self.source_system = Some(name.into());
        self
    }

    /// Why the task was asked for.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The correlation id of the work that the task is a part of.
    #[must_use]
    pub fn parent_correlation_id(mut self, id: uuid::Uuid) -> Self {
        self.parent_correlation_id = Some(id);
        self
    }

    /// A word to find the task by; each call adds one.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// The answer to [`Store::create_task`](crate::Store::create_task).
#[derive(Clone, Debug)]
pub enum Created {
    /// The task was created.
    New(Claimed),
    /// There was a task of this identity already; nothing was created.
    Duplicate {
        /// The id of that task.
        id: TaskId,
        /// Its context.
        context: Json,
    },
}

/// What a run needs.
#[derive(Clone, Debug)]
pub struct TaskInputs {
    /// The task's context.
    pub context: Json,
    /// The id that the task shares with related work.
    pub correlation_id: uuid::Uuid,
    /// When the task was created.
    pub created_at: Timestamp,
    /// The results of the steps that were asked for, in their order; `None` for a step without one.
    pub results: Vec<Option<Json>>,
    /// The run's own input, when it is one of several.
    pub input: Option<Json>,
}

/// The task itself, without its steps.
#[derive(Clone, Debug)]
pub struct TaskHead {
    /// Its id.
    pub id: TaskId,
    /// The template's snapshot.
    pub template: TemplateId,
    /// Its state.
    pub state: TaskState,
    /// The id that it shares with related work.
    pub correlation_id: uuid::Uuid,
    /// Its input.
    pub context: Json,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// Who asked for it, and what for.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it came into its present state; `None` while it is in progress.
    pub settled_at: Option<Timestamp>,
}

/// Everything about one task.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// The task itself.
    pub head: TaskHead,
    /// The runs that have been reached and are not done.
    pub steps: Vec<StepRecord>,
    /// The attempts that have ended, by step and number.
    pub attempts: Vec<AttemptRecord>,
    /// What operators have done to it, the oldest first.
    pub actions: Vec<ActionRecord>,
}

/// A run that has been reached and is not done.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// The run.
    pub key: StepKey,
    /// Its state.
    pub state: StepState,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before an operator renewed its budget.
    pub attempts_before_reset: u32,
    /// When it becomes due; `None` when it is due.
    pub due_at: Option<Timestamp>,
    /// Its rank in the queue, the smallest first; `None` when it is not queued.
    pub rank: Option<i64>,
    /// When it was claimed, while it is in progress.
    pub claimed_at: Option<Timestamp>,
    /// The worker that has claimed it, while it is in progress.
    pub worker: Option<WorkerId>,
}

impl StepRecord {
    /// The record of a run in its present state.
    #[must_use]
    pub fn new(key: StepKey, run: &RunProgress) -> Self {
        let (state, attempts) = (run.state, run.attempts);
        let attempts_before_reset = run.attempts_before_reset;
        let (claimed_at, worker) = run.claim.map(|claim| (claim.claimed_at, claim.worker)).unzip();
        let (due_at, rank) = (run.due_at, run.rank);
        Self { key, state, attempts, attempts_before_reset, due_at, rank, claimed_at, worker }
    }
}

/// A task's state, and those of its runs that have rows of their own.
#[derive(Clone, Debug)]
pub struct TaskGlance {
    /// Its id.
    pub id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// Its runs that are queued, wait for a time, or have failed; others that are claimed may be missing.
    pub runs: Vec<StepRecord>,
}

impl TaskRecord {
    /// When a run of the task became ready or will be; `None` while it is claimed, and once it has failed.
    #[must_use]
    pub fn ready_at(&self, step: &StepRecord) -> Option<Timestamp> {
        ready_at(step.rank?, self.head.priority)
    }
}

/// Which tasks to list: those that meet every condition; the newest fifty unless said otherwise.
///
/// ```
/// use tasker::task::{TaskFilter, TaskState};
/// let filter = TaskFilter::new().states([TaskState::BlockedByFailures]).namespace("billing").limit(10);
/// assert_eq!(filter.limit, 10);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskFilter {
    /// In one of these states; none given, in any.
    pub states: Vec<TaskState>,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of the template with this name.
    pub name: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// With this correlation id.
    pub correlation_id: Option<uuid::Uuid>,
    /// That were given up at some time, whatever has become of them since.
    pub given_up: bool,
    /// Older than this one: the last of the previous page.
    pub before: Option<TaskId>,
    /// At most this many.
    pub limit: usize,
}

impl Default for TaskFilter {
    fn default() -> Self {
        let (states, namespace, name, tag) = (Vec::new(), None, None, None);
        let (correlation_id, given_up, before) = (None, false, None);
        Self { states, namespace, name, tag, correlation_id, given_up, before, limit: 50 }
    }
}

impl TaskFilter {
    /// The newest fifty tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In one of these states; none given, in any.
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = TaskState>) -> Self {
        self.states = states.into_iter().collect();
        self
    }

    /// Of this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Of the template with this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// With this correlation id.
    #[must_use]
    pub fn correlation_id(mut self, id: uuid::Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// That were given up at some time, whatever has become of them since.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        self.given_up = true;
        self
    }

    /// Older than this one: the last of the previous page.
    #[must_use]
    pub fn before(mut self, task: TaskId) -> Self {
        self.before = Some(task);
        self
    }

    /// At most this many.
    #[must_use]
    pub fn limit(mut self, tasks: usize) -> Self {
        self.limit = tasks;
        self
    }
}

/// Which tasks to delete.
#[derive(Clone, Debug)]
pub struct PruneRequest {
    /// In these states; states that are not over are ignored.
    pub states: Vec<TaskState>,
    /// That came into their state before this time.
    pub settled_before: Timestamp,
    /// At most this many.
    pub limit: usize,
}
