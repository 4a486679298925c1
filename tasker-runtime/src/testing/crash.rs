//! A store whose worker dies at one of its commits.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tasker_store::doctor::{Facts, FactsRequest, Finding};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    LimitRecord, LimitScope, NewTaskRecord, PermitGrants, PermitRequest, ProgramRecord, PruneRequest,
    StepKey, Store, StoreError, TaskFilter, TaskGlance, TaskHead, TaskId, TaskInputs, TaskRecord, TemplateId,
    TemplateRecord, WorkerId, WorkerInfo, WorkerRecord,
};
use tasker_template::StepIndex;
use tokio_util::sync::CancellationToken;

use crate::client::task::Task;

/// The commit at which a worker dies. Commits are the operations that change the store, numbered from 1.
///
/// ```
/// use tasker::testing::CrashPoint;
/// assert_eq!(CrashPoint::Before(3).to_string(), "before commit 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrashPoint {
    /// The worker dies before the commit, which does not take place. The external effects of the handler
    /// remain, and its answer is lost. Operations that only claim are not counted, because the worker has
    /// done nothing since the commit before.
    Before(usize),
    /// The worker dies after the commit, before it receives the store's answer.
    After(usize),
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(number) => write!(f, "before commit {number}"),
            Self::After(number) => write!(f, "after commit {number}"),
        }
    }
}

/// The death of a worker.
///
/// ```
/// use tasker::testing::{CrashPoint, TestEngine};
/// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
/// #     steps: [{name: a, handler: {callable: a}}]}";
/// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
/// let run = engine.run_with_crash_blocking(serde_json::json!({}), CrashPoint::After(3));
/// let crash = run.crash().unwrap();
/// assert_eq!(crash.to_string(), "the worker died after commit 3 (creating the task)");
/// // Its claim was never answered: the next worker made the second attempt.
/// assert_eq!(crash.task.as_ref().unwrap().step("a").unwrap().attempts.len(), 0);
/// assert_eq!(run.order(), ["a#2"]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Crash {
    /// The commit at which it died.
    pub point: CrashPoint,
    /// The operation of that commit.
    pub operation: &'static str,
    /// The task as it was left; `None` when it had not been created.
    pub task: Option<Task>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker died {} ({})", self.point, self.operation)
    }
}

/// The store of one worker. It passes every operation on to `inner`, counts the commits, and fails every
/// operation once the worker has died.
#[derive(Debug)]
pub(crate) struct MortalStore {
    inner: Arc<dyn Store>,
    point: CrashPoint,
    dead: CancellationToken,
    commits: AtomicUsize,
    last: Mutex<&'static str>,
    workers: Mutex<Vec<WorkerId>>,
}

impl MortalStore {
    /// Cancels `dead` when the worker dies.
    pub(crate) fn new(inner: Arc<dyn Store>, point: CrashPoint, dead: CancellationToken) -> Self {
        let (last, workers) = (Mutex::new(""), Mutex::default());
        Self { inner, point, dead, commits: AtomicUsize::new(0), last, workers }
    }

    /// The crash, once the worker has died.
    pub(crate) fn operation(&self) -> &'static str {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Orphans the claims of the dead worker, as the end of its process does.
    pub(crate) fn bury(&self) {
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.inner.worker_died(worker);
        }
    }

    fn alive(&self) -> Result<&dyn Store, StoreError> {
        if self.dead.is_cancelled() { Err(StoreError::Closed) } else { Ok(&*self.inner) }
    }

    /// Counts a commit. Fails when the worker dies at it.
    fn pass(&self, point: CrashPoint, what: &'static str) -> Result<(), StoreError> {
        if point != self.point {
            return Ok(());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = what;
        self.dead.cancel();
        Err(StoreError::Closed)
    }

    fn next(&self) -> usize {
        self.commits.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn commit<T>(
        &self,
        what: &'static str,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.alive()?;
        let number = self.next();
        self.pass(CrashPoint::Before(number), what)?;
        let answer = operation.await?;
        self.pass(CrashPoint::After(number), what)?;
        Ok(answer)
    }
}

impl tasker_store::sealed::Sealed for MortalStore {}

#[async_trait]
impl Store for MortalStore {
    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        self.commit("registering the worker", self.inner.register_worker(worker, info, now)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        self.alive()?.workers().await
    }

    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        self.alive()?.program_of(worker).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.commit("signing off", self.inner.retire_worker(worker)).await
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        self.commit("keeping the template", self.inner.put_template(template)).await
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.commit("creating the task", self.inner.create_task(task, claim)).await
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        self.commit("recording an attempt", self.inner.finish(attempt, claim)).await
    }

    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.commit("handing back", self.inner.release(claims, due_at, now)).await
    }

    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        self.alive()?.revoked(claims).await
    }

    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError> {
        self.commit("acting for an operator", self.inner.act(action)).await
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        self.commit("deleting old tasks", self.inner.prune(prune)).await
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        let claimed = self.alive()?.claim(claim).await?;
        if let (CrashPoint::After(_), false) = (self.point, claimed.claims.is_empty()) {
            self.pass(CrashPoint::After(self.next()), "claiming")?;
        }
        Ok(claimed)
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        self.alive()?.set_limit(limit).await
    }

    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        self.alive()?.remove_limit(scope).await
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        self.alive()?.limits().await
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        self.alive()?.permits(request).await
    }

    fn worker_died(&self, worker: WorkerId) {
        self.inner.worker_died(worker);
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        self.alive()?.template(id).await
    }

    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        self.alive()?.template_ids().await
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        self.alive()?.orphaned().await
    }

    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError> {
        self.alive()?.inputs(task, run, steps).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.alive()?.task(id).await
    }

    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        self.alive()?.glance(tasks).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        self.alive()?.tasks(filter).await
    }

    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        self.alive()?.facts(request).await
    }

    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        self.alive()?.inspect(repair).await
    }
}
