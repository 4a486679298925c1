//! The contract between the engine and the place where tasks are kept.
//!
//! A store knows no handler and no graph: what follows from a completed step comes with the
//! operation. Each operation is atomic, and is answered only once its effect is durable.

mod action;
#[cfg(feature = "testing")]
mod failpoint;
#[cfg(not(feature = "testing"))]
mod failpoint {
    pub(super) fn pass(_: &str) {}
}
pub(crate) mod limit;
pub(crate) mod location;
pub(crate) mod memory;
mod migration;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod progress;
pub(crate) mod sqlite;
mod worker;

#[cfg(feature = "testing")]
pub mod conformance;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_template::StepIndex;

use crate::handler::SqlWrite;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::state::{AttemptOutcome, StepState, TaskState};
use crate::step_error::ErrorRecord;

pub use action::{Acted, Action, ActionDetails, ActionRecord, ActionRequest, Refusal};
pub use limit::{
    FleetLimit, Granted, LimitKind, LimitRecord, PermitRequest, Permits, Rate, RateError, Wanted,
};
pub use memory::MemoryStore;
pub use migration::{Migration, migrate, plan_migration};
#[cfg(feature = "postgres")]
pub use postgres::{Executor, PostgresStore};
pub use sqlite::SqliteStore;
pub use worker::{WorkerInfo, WorkerRecord};

/// Keeps tasks. See the [module](self).
///
/// This is a seam inside the product: it grows with the engine, and a store of your own may have
/// to follow it.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What people call the store; no password.
    fn name(&self) -> String {
        format!("{self:?}")
    }

    /// Makes a worker known, so that its claims hold for as long as it lives.
    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The workers that are known, the newest last: those that are alive, and dead ones that have not
    /// been forgotten.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError>;

    /// Forgets a worker. What it has not handed back is [`abandoned`](Self::abandoned).
    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError>;

    /// Keeps the snapshot of a template; does nothing when it is there.
    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError>;

    /// The snapshot of a template.
    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError>;

    /// Creates a task, makes its first steps ready, and claims as `claim` asks. Nothing is created
    /// when there is a task of the same identity.
    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError>;

    /// The SQL statement that creates a task in a transaction of somebody else's, on a store that has
    /// one to offer. It inserts no row when there is a task of the same identity.
    fn creation(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        let _ = task;
        Err(StoreError::NoTransactions)
    }

    /// Claims steps that are due.
    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError>;

    /// Ends an attempt: records it, makes ready what now can run, settles the task when nothing is
    /// left to run, and claims as `claim` asks, the task's own steps first; those in passing only for
    /// the worker whose attempt it was.
    ///
    /// [`Finished::Stale`], and no change, when `attempt.claim` is no longer the step's claim.
    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError>;

    /// Hands claims back: the steps are ready again, or will be at `due_at`, and the attempts do not
    /// count. Claims that no longer hold are passed over.
    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Those of `claims` that no longer hold, because an operator or another worker has ended them.
    async fn lost(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError>;

    /// Does what an operator asks for, and records it.
    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError>;

    /// Deletes tasks that are over, with all that belongs to them: how many.
    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError>;

    /// Sets a limit that holds for all workers together, in the place of the one that there is on its kind.
    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError>;

    /// Removes a limit: whether there was one.
    async fn remove_limit(&self, kind: LimitKind) -> Result<bool, StoreError>;

    /// The limits, with what workers that are alive use of them.
    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError>;

    /// Grants permits and starts to a worker, and takes back what it no longer wants. The permits of all
    /// workers that are alive are never more than a limit has, unless it was lowered, or one was taken
    /// for dead and keeps some in use; those of dead workers are free. No start is granted twice. It asks
    /// once at a time.
    async fn permits(&self, request: PermitRequest) -> Result<Permits, StoreError>;

    /// A worker of this process has ended without signing off: what it left is
    /// [`abandoned`](Self::abandoned). Does nothing for a worker that has retired.
    fn worker_gone(&self, worker: WorkerId);

    /// For how long a worker that is not heard of any more counts as alive; `None` when its end is
    /// noticed at once.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The claims of workers that are gone, to be ended as crashed.
    async fn abandoned(&self) -> Result<Vec<Claim>, StoreError>;

    /// What a step needs to run: the task's context and the results of `steps`, in their order;
    /// `None` where there is no result. `None` for a task that does not exist.
    async fn inputs(&self, task: TaskId, steps: &[StepIndex]) -> Result<Option<TaskInputs>, StoreError>;

    /// Everything about one task.
    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError>;

    /// Tasks by id, the newest first.
    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError>;

    /// Completes when another process says that it has left work for others. A store whose processes
    /// find that out by looking never says so.
    async fn announced(&self) {
        std::future::pending().await
    }
}

/// The snapshot of a template, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRecord {
    /// The hash of `snapshot`.
    pub id: TemplateId,
    /// The template's namespace.
    pub namespace: String,
    /// The template's name.
    pub name: String,
    /// The template's version.
    pub version: String,
    /// The template itself.
    pub snapshot: String,
}

/// A task to create.
#[derive(Clone, Debug)]
pub struct NewTaskRecord {
    /// Its id.
    pub id: TaskId,
    /// The snapshot that it runs by; must be kept already.
    pub template: TemplateId,
    /// What ties it to other work.
    pub correlation_id: uuid::Uuid,
    /// Its input.
    pub context: Json,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first steps become due; `None` for at once.
    pub run_at: Option<Timestamp>,
    /// Its place among others: claims prefer the higher.
    pub priority: i32,
    /// What must be unique among all tasks that are kept.
    pub identity: Option<Identity>,
    /// Who asked for it, and what for.
    pub origin: Origin,
    /// The steps that wait for none.
    pub starts: Vec<StepIndex>,
}

/// What must be unique among all tasks: a hash of it.
pub type Identity = [u8; 32];

/// Who asked for a task, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<String>,
    /// The system that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_system: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The correlation id of the work that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_correlation_id: Option<uuid::Uuid>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// The answer to [`Store::create_task`].
#[derive(Clone, Debug)]
pub enum Created {
    /// It is there.
    New(Claimed),
    /// A task of this identity was there before; nothing was created.
    Duplicate {
        /// That task.
        id: TaskId,
        /// Its context.
        context: Json,
    },
}

/// Which steps a worker does not claim, by the snapshot and the step.
pub type Passed = HashSet<(TemplateId, StepIndex)>;

/// How much a worker is willing to claim in passing.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// For whom.
    pub worker: WorkerId,
    /// At most this many steps.
    pub limit: usize,
    /// Whether steps of other tasks are welcome, after those that the operation itself made ready.
    pub any: bool,
    /// What is due by now.
    pub now: Timestamp,
    /// Steps that are left to others: no handler here, or as many of a kind are running as may.
    pub passed: Arc<Passed>,
    /// From the queue, steps of templates in these namespaces only; `None` for all. So that a store
    /// need not walk over what is others'. The own task's steps, after what the operation did, are
    /// up to `passed` alone.
    pub namespaces: Option<Arc<[String]>>,
}

impl ClaimRequest {
    /// Whether such a step is welcome.
    #[must_use]
    pub fn takes(&self, template: TemplateId, step: StepIndex) -> bool {
        self.passed.is_empty() || !self.passed.contains(&(template, step))
    }

    /// Whether steps of this namespace are welcome from the queue.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|served| served.iter().any(|one| one == namespace))
    }
}

/// The right to run one attempt of one step, until it is ended or handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
    /// The snapshot that the task runs by.
    pub template: TemplateId,
    /// The step.
    pub step: StepIndex,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// How many attempts were made before an operator renewed the step's budget.
    pub forgiven: u32,
    /// The claim's owner.
    pub worker: WorkerId,
    /// When it was claimed. A claim that was handed back and made again, with the same attempt
    /// number, is another claim by this.
    pub claimed_at: Timestamp,
}

/// What an operation claimed in passing.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Whether steps that are due now were left for want of room, as far as the operation saw.
    pub more: bool,
    /// When the next step that is not due yet will be; only [`Store::claim`] tells.
    pub next_due: Option<Timestamp>,
}

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct FinishedAttempt {
    /// The claim that it was made under.
    pub claim: Claim,
    /// When the handler was called.
    pub started_at: Timestamp,
    /// When it returned.
    pub finished_at: Timestamp,
    /// How it ended, and what follows.
    pub ending: Ending,
}

/// How an attempt ended, and what follows.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With a result.
    Complete {
        /// The result.
        result: Json,
        /// The steps that wait for this one.
        dependents: Arc<[Dependent]>,
        /// When no step waits for this one: all such steps of the template. The task is complete
        /// when all of them are.
        ends: Option<Arc<[StepIndex]>>,
        /// What is written into tables of the application's own, with the result or not at all.
        writes: Arc<[SqlWrite]>,
    },
    /// Without one.
    Failed {
        /// How.
        outcome: AttemptOutcome,
        /// Why.
        error: ErrorRecord,
        /// When the step is tried again; `None` when it has failed for good.
        retry_at: Option<Timestamp>,
    },
}

/// A step that waits for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// The step.
    pub step: StepIndex,
    /// All steps that it waits for.
    pub parents: Arc<[StepIndex]>,
}

/// The answer to [`Store::finish`].
#[derive(Clone, Debug)]
pub enum Finished {
    /// The attempt is recorded.
    Recorded {
        /// What was claimed in passing.
        claimed: Claimed,
        /// The state that this brought the task into, when the task has settled.
        settled: Option<TaskState>,
    },
    /// The claim no longer held; nothing was changed.
    Stale,
}

/// What a step needs to run.
#[derive(Clone, Debug)]
pub struct TaskInputs {
    /// The task's context.
    pub context: Json,
    /// What ties the task to other work.
    pub correlation_id: uuid::Uuid,
    /// When the task was created.
    pub created_at: Timestamp,
    /// The results that were asked for.
    pub results: Vec<Option<Json>>,
}

/// The task itself, without its steps.
#[derive(Clone, Debug)]
pub struct TaskHead {
    /// Its id.
    pub id: TaskId,
    /// The snapshot that it runs by.
    pub template: TemplateId,
    /// Where it is.
    pub state: TaskState,
    /// What ties it to other work.
    pub correlation_id: uuid::Uuid,
    /// Its input.
    pub context: Json,
    /// Its place among others.
    pub priority: i32,
    /// Who asked for it, and what for.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it settled in its present state.
    pub settled_at: Option<Timestamp>,
}

/// Everything about one task.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// The task itself.
    pub head: TaskHead,
    /// The steps that are neither complete nor untouched.
    pub steps: Vec<StepRecord>,
    /// The attempts that have ended, by step and number.
    pub attempts: Vec<AttemptRecord>,
    /// What operators have done to it, the oldest first.
    pub actions: Vec<ActionRecord>,
}

/// A step that is neither complete nor untouched.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// The step.
    pub step: StepIndex,
    /// Where it is.
    pub state: StepState,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before an operator renewed its budget.
    pub forgiven: u32,
    /// When it becomes due, while it is not.
    pub due_at: Option<Timestamp>,
    /// Its place among those that can run or will, the smallest first.
    pub rank: Option<i64>,
    /// When it was claimed, while it is in progress.
    pub claimed_at: Option<Timestamp>,
}

impl StepRecord {
    pub(crate) fn new(step: StepIndex, progress: &progress::StepProgress) -> Self {
        let (state, attempts, forgiven) = (progress.state, progress.attempts, progress.forgiven);
        let claimed_at = progress.claim.map(|claim| claim.claimed_at);
        let (due_at, rank) = (progress.due_at, progress.rank);
        Self { step, state, attempts, forgiven, due_at, rank, claimed_at }
    }
}

impl TaskRecord {
    /// When one of its steps became ready, or will; `None` while it is claimed, and once it has failed.
    #[must_use]
    pub fn ready_at(&self, step: &StepRecord) -> Option<Timestamp> {
        progress::ready_at(step.rank?, self.head.priority)
    }
}

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The step.
    pub step: StepIndex,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Who made it.
    pub worker: WorkerId,
    /// When the handler was called.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The result, when it has one.
    pub result: Option<Json>,
    /// The error, when it has one.
    pub error: Option<ErrorRecord>,
}

impl From<&FinishedAttempt> for AttemptRecord {
    fn from(attempt: &FinishedAttempt) -> Self {
        let Claim { step, attempt: number, worker, .. } = attempt.claim;
        let (outcome, result, error) = match &attempt.ending {
            Ending::Complete { result, .. } => (AttemptOutcome::Complete, Some(result.clone()), None),
            Ending::Failed { outcome, error, .. } => (*outcome, None, Some(error.clone())),
        };
        let (started_at, finished_at) = (attempt.started_at, attempt.finished_at);
        Self { step, attempt: number, worker, started_at, finished_at, outcome, result, error }
    }
}

/// Which tasks to list: those that meet every condition.
#[derive(Clone, Debug)]
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

/// Any fifty.
impl Default for TaskFilter {
    fn default() -> Self {
        let (states, namespace, name, tag) = (Vec::new(), None, None, None);
        let (correlation_id, given_up, before) = (None, false, None);
        Self { states, namespace, name, tag, correlation_id, given_up, before, limit: 50 }
    }
}

/// Which tasks to delete.
#[derive(Clone, Debug)]
pub struct PruneRequest {
    /// In these states; one that is not over is passed over.
    pub states: Vec<TaskState>,
    /// That came into their state before this time.
    pub settled_before: Timestamp,
    /// At most this many.
    pub limit: usize,
}

impl StoreError {
    /// Whether asking again cannot help: what the store holds cannot be used.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::NoTemplate(_)
                | Self::Newer { .. }
                | Self::Url { .. }
                | Self::Damaged { .. }
                | Self::Refused { .. }
                | Self::Gone { .. }
                | Self::NoTransactions
                | Self::Write { .. }
        )
    }
}

/// A store that cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL names no store.
    #[error(
        "`{url}` is not the URL of a store: write `sqlite://PATH`, `postgres://USER@HOST/DATABASE` or `memory:`"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The store could not be opened.
    #[error("cannot open {what}: {source}")]
    Open {
        /// The file.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was written by a newer version of this program.
    #[error("{what} has schema version {found}, and this program knows {known}: use a newer version of it")]
    Newer {
        /// The file.
        what: String,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Somebody else has held the store's lock for longer than we wait.
    #[error("{what} is locked by another process: {source}")]
    Locked {
        /// The file.
        what: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is damaged.
    #[error("{what} is damaged: {source}; restore it from a backup")]
    Damaged {
        /// The file.
        what: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database refused.
    #[error("{what} failed: {source}")]
    Database {
        /// The file.
        what: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record that this version cannot read.
    #[error("the store holds a {what} that cannot be read: {value}")]
    Unreadable {
        /// The kind of record.
        what: &'static str,
        /// What stands there.
        value: String,
    },
    /// What was to be written breaks a rule of the database, or is larger than it can hold.
    #[error("{what} refused a record: {source}")]
    Refused {
        /// The file.
        what: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file has been removed, or replaced by another, while it was open.
    #[error("{what} has been removed or replaced while it was in use; nothing more is written to it")]
    Gone {
        /// The file.
        what: String,
    },
    /// The task's template is not kept.
    #[error("template {0} is not in the store")]
    NoTemplate(TemplateId),
    /// A statement that a handler asked for cannot be run; nothing of the attempt was recorded.
    #[error("the statement `{sql}` of the step's transaction failed: {reason}")]
    Write {
        /// The statement.
        sql: String,
        /// What the database said.
        reason: String,
        /// Whether it may succeed when the step is tried again.
        passing: bool,
    },
    /// Tasks of this store cannot be created in a transaction of the caller's.
    #[error("only a PostgreSQL store creates tasks in the caller's own transaction; use `create_task`")]
    NoTransactions,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}
