//! The contract between the engine and a store that keeps tasks. **Exempt from semantic versioning.**
//!
//! A store knows no handler. Each operation is atomic, and is answered only once its effect is durable.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::action::{Acted, ActionRequest};
use crate::attempt::{Finished, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest, Claimed};
use crate::doctor::{Facts, FactsRequest, Finding};
use crate::error::StoreError;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::key::StepKey;
use crate::limit::{FleetLimit, LimitScope};
use crate::permit::{LimitRecord, PermitGrants, PermitRequest};
use crate::sealed::Sealed;
use crate::store_clock::StoreClock;
use crate::task::{
    Created, Identity, NewTaskRecord, PruneRequest, TaskFilter, TaskGlance, TaskHead, TaskInputs, TaskRecord,
};
use crate::template::TemplateRecord;
use crate::worker::{ProgramRecord, WorkerInfo, WorkerRecord};

/// Keeps tasks. **Exempt from semantic versioning**: it changes with the engine, also in patch releases.
///
/// It is sealed. `tasker` and `tasker-runtime` re-export what a store of your own needs with the feature
/// `unstable-store`; such a store must follow each version.
///
/// Each operation is atomic, and is answered only once its effect is durable.
#[async_trait]
pub trait Store: Sealed + Debug + Send + Sync + 'static {
    /// The name of the store in messages: its URL or path, without a password.
    fn name(&self) -> String {
        format!("{self:?}")
    }

    /// Registers a worker: its claims hold for as long as it is alive.
    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The workers that the store knows, the newest last: those that are alive, and dead ones that it
    /// has not forgotten yet.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError>;

    /// The program of a worker that has registered, for as long as there may be an attempt that this worker has
    /// recorded. `None` also for workers of versions before there was such a record.
    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError>;

    /// Forgets a worker. Claims that it has not handed back are [`orphaned`](Self::orphaned).
    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError>;

    /// Keeps the snapshot of a template. Does nothing when the store has it already.
    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError>;

    /// The snapshot of a template.
    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError>;

    /// The ids of all snapshots, in any order.
    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError>;

    /// Creates a task, makes its roots ready, and claims them as `claim` asks. Creates nothing when there is
    /// a task of the same identity.
    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError>;

    /// The SQL statement that creates a task within the caller's own transaction, on a store that supports
    /// this. The statement inserts no row when there is a task of the same identity.
    fn create_task_sql(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        let _ = task;
        Err(StoreError::NoTransactions)
    }

    /// The task of this identity, and its context. For stores that support
    /// [`create_task_sql`](Self::create_task_sql): the statement's answer does not contain them.
    async fn task_of_identity(&self, identity: &Identity) -> Result<Option<(TaskId, Json)>, StoreError> {
        let _ = identity;
        Err(StoreError::NoTransactions)
    }

    /// Claims runs that are due, as many as the request allows.
    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError>;

    /// Ends an attempt: records it, makes the runs ready that can start now, and settles the task when
    /// nothing of it can run any more. Then claims as `claim` asks: first, in passing, runs of the same task,
    /// if the worker that asks is the one that made the attempt; then runs from the queue.
    ///
    /// Answers [`Finished::Stale`] and changes nothing when `attempt.claim` no longer holds.
    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError>;

    /// Hands claims back: the runs are ready again, at once or at `due_at`, and the attempts do not count.
    /// Claims that no longer hold are skipped.
    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Those of `claims` that no longer hold, because an operator or another worker has ended them.
    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError>;

    /// Does what an operator asks for, and records it.
    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError>;

    /// Deletes tasks that are over, with all that belongs to them. Returns their number. Also deletes the
    /// programs of workers that are forgotten and of which no attempt can be left, at the latest when it is
    /// asked once more.
    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError>;

    /// Sets a limit that holds for all workers together. It replaces an earlier one of the same scope.
    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError>;

    /// Removes the limit of a scope. Returns whether there was one.
    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError>;

    /// The limits, with what workers that are alive use of them.
    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError>;

    /// Grants permits and starts to a worker, and takes back what it no longer wants. A worker has one
    /// request under way at a time.
    ///
    /// The workers that are alive never hold more permits than the limit's concurrency, with two exceptions:
    /// the limit was lowered, or a worker that was taken for dead still runs attempts. The permits of dead
    /// workers are free. No start is granted twice.
    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError>;

    /// A worker of this process has ended without signing off: its claims are
    /// [`orphaned`](Self::orphaned). Does nothing for a worker that has retired.
    fn worker_died(&self, worker: WorkerId);

    /// The lease: how long a worker counts as alive without a heartbeat. `None` when the store notices the
    /// end of a worker at once.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The store's own clock, by which its workers and clients go; `None` when they go by their machine's.
    fn clock(&self) -> Option<Arc<StoreClock>> {
        None
    }

    /// The claims of dead workers. Whoever asks ends their attempts as crashed.
    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError>;

    /// What a run needs: the task's context, the results of `steps` in their order, and the run's own input.
    /// The result is `None` for a step that has none, and a list of results by instance for a step that had
    /// several runs. The answer is `None` for a task that does not exist.
    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError>;

    /// Everything about one task.
    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError>;

    /// The states of these tasks, and those of their runs that have rows of their own: a run that is claimed
    /// may be missing. Tasks that do not exist, or of which something cannot be read, are left out.
    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError>;

    /// Tasks by id, the newest first.
    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError>;

    /// The facts about a page of tasks, as of one moment, for [`doctor`](crate::doctor).
    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError>;

    /// What is wrong with the store as a whole, beside its tasks: with its indexes, its settings, its integrity,
    /// and rows that belong to nothing. With `repair`, it deletes the latter, and marks these findings as
    /// repaired.
    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError>;

    /// Completes when another process notifies this one of work that any worker may claim. Never completes
    /// on a store without notifications, whose workers poll.
    async fn notified(&self) {
        std::future::pending().await
    }
}
