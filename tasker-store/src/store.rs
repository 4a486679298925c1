//! The contract between the engine and the place where tasks are kept. **Exempt from semantic versioning.**
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
use crate::error::StoreError;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::key::StepKey;
use crate::limit::{FleetLimit, LimitScope};
use crate::permit::{LimitRecord, PermitGrants, PermitRequest};
use crate::sealed::Sealed;
use crate::task::{
    Created, Identity, NewTaskRecord, PruneRequest, TaskFilter, TaskHead, TaskInputs, TaskRecord,
};
use crate::template::TemplateRecord;
use crate::worker::{WorkerInfo, WorkerRecord};

/// Keeps tasks. **Exempt from semantic versioning**: it changes with the engine, also in patch releases.
///
/// It is sealed. `tasker` and `tasker-runtime` re-export what a store of your own needs with the feature
/// `unstable-store`; such a store must follow each version.
///
/// Each operation is atomic, and is answered only once its effect is durable.
#[async_trait]
pub trait Store: Sealed + Debug + Send + Sync + 'static {
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

    /// Forgets a worker. What it has not handed back is [`orphaned`](Self::orphaned).
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
    fn create_task_sql(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        let _ = task;
        Err(StoreError::NoTransactions)
    }

    /// The task of this identity, and its context; for stores that offer
    /// [`create_task_sql`](Self::create_task_sql), which tells only that there is one.
    async fn task_of_identity(&self, identity: &Identity) -> Result<Option<(TaskId, Json)>, StoreError> {
        let _ = identity;
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
    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError>;

    /// Does what an operator asks for, and records it.
    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError>;

    /// Deletes tasks that are over, with all that belongs to them: how many.
    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError>;

    /// Sets a limit that holds for all workers together, in the place of the one that there is on its kind.
    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError>;

    /// Removes a limit: whether there was one.
    async fn remove_limit(&self, kind: LimitScope) -> Result<bool, StoreError>;

    /// The limits, with what workers that are alive use of them.
    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError>;

    /// Grants permits and starts to a worker, and takes back what it no longer wants. The permits of all
    /// workers that are alive are never more than a limit has, unless it was lowered, or one was taken
    /// for dead and keeps some in use; those of dead workers are free. No start is granted twice. It asks
    /// once at a time.
    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError>;

    /// A worker of this process has ended without signing off: what it left is
    /// [`orphaned`](Self::orphaned). Does nothing for a worker that has retired.
    fn worker_died(&self, worker: WorkerId);

    /// For how long a worker that is not heard of any more counts as alive; `None` when its end is
    /// noticed at once.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The claims of workers that are gone, to be ended as crashed.
    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError>;

    /// What a run needs: the task's context, the results of `steps`, in their order, and its own input.
    /// `None` where there is no result; the list of their results, by instance, for a step that has had
    /// several runs. `None` for a task that does not exist.
    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError>;

    /// Everything about one task.
    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError>;

    /// Tasks by id, the newest first.
    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError>;

    /// Completes when another process says that it has left work for others. A store whose processes
    /// find that out by looking never says so.
    async fn notified(&self) {
        std::future::pending().await
    }
}
