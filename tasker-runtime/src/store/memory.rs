//! Tasks in memory: for tests, and for workflows that need not outlive their process.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::state::{StepState, TaskState};
use crate::store::{
    AttemptRecord, Claim, ClaimRequest, Claimed, Dependent, Ending, Finished, FinishedAttempt, NewTaskRecord,
    StepRecord, Store, StoreError, TaskFilter, TaskHead, TaskInputs, TaskRecord, TemplateRecord,
};

/// Keeps tasks in memory, and loses them with the process.
///
/// ```
/// # tokio_test(async {
/// use tasker_runtime::Tasker;
/// let tasker = Tasker::builder().store(tasker_runtime::MemoryStore::new()).build().await.unwrap();
/// # tasker.shutdown().await;
/// # });
/// # fn tokio_test(future: impl Future<Output = ()>) {
/// #     tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    templates: HashMap<TemplateId, Arc<TemplateRecord>>,
    tasks: HashMap<TaskId, TaskEntry>,
    due: BTreeSet<(Timestamp, TaskId, StepIndex)>,
    workers: HashSet<WorkerId>,
    /// Workers that ended without handing everything back.
    gone: HashSet<WorkerId>,
}

#[derive(Debug)]
struct TaskEntry {
    head: TaskHead,
    /// Steps that are neither complete nor untouched.
    steps: HashMap<StepIndex, StepEntry>,
    /// How many of them are ready, in progress, or waiting for a retry.
    moving: usize,
    /// How many of the steps that nobody waits for are complete.
    ended: u32,
    attempts: Vec<AttemptRecord>,
    results: HashMap<StepIndex, Json>,
}

#[derive(Debug)]
struct StepEntry {
    state: StepState,
    waiting_for: u32,
    attempts: u32,
    due_at: Option<Timestamp>,
    claim: Option<Claim>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts steps that can run where workers find them, claiming as many as `request` has room for.
    fn make_ready(
        &mut self,
        task: TaskId,
        steps: Vec<StepIndex>,
        request: &ClaimRequest,
        claimed: &mut Claimed,
    ) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        for step in steps {
            entry.moving += 1;
            let row = entry.steps.entry(step).or_insert_with(StepEntry::new);
            row.state = StepState::Ready;
            row.waiting_for = 0;
            if claimed.claims.len() < request.limit {
                claimed.claims.push(row.claim(&entry.head, step, request));
            } else {
                row.due_at = Some(request.now);
                self.due.insert((request.now, task, step));
                claimed.more = true;
            }
        }
    }

    fn claim_due(&mut self, request: &ClaimRequest, claimed: &mut Claimed) {
        while claimed.claims.len() < request.limit {
            let Some(&(due_at, task, step)) = self.due.first().filter(|first| first.0 <= request.now) else {
                return;
            };
            self.due.remove(&(due_at, task, step));
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            let Some(row) = entry.steps.get_mut(&step) else { continue };
            claimed.claims.push(row.claim(&entry.head, step, request));
        }
        claimed.more |= self.due.first().is_some_and(|first| first.0 <= request.now);
    }
}

impl TaskEntry {
    /// One more dependency of `dependent` is complete: whether that was the last.
    fn satisfy(&mut self, dependent: Dependent) -> bool {
        if dependent.parents <= 1 {
            return true;
        }
        let row = self
            .steps
            .entry(dependent.step)
            .or_insert_with(|| StepEntry { waiting_for: dependent.parents, ..StepEntry::new() });
        row.waiting_for -= 1;
        row.waiting_for == 0
    }

    fn settle(&mut self, state: TaskState, now: Timestamp) -> Option<TaskState> {
        self.head.state = state;
        self.head.settled_at = Some(now);
        Some(state)
    }
}

impl StepEntry {
    fn new() -> Self {
        Self { state: StepState::Pending, waiting_for: 0, attempts: 0, due_at: None, claim: None }
    }

    fn claim(&mut self, head: &TaskHead, step: StepIndex, request: &ClaimRequest) -> Claim {
        self.state = StepState::InProgress;
        self.attempts += 1;
        self.due_at = None;
        let claim = Claim {
            task: head.id,
            template: head.template,
            step,
            attempt: self.attempts,
            worker: request.worker,
            claimed_at: request.now,
        };
        self.claim = Some(claim);
        claim
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn register_worker(&self, worker: WorkerId, _now: Timestamp) -> Result<(), StoreError> {
        self.lock().workers.insert(worker);
        Ok(())
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.worker_gone(worker);
        Ok(())
    }

    fn worker_gone(&self, worker: WorkerId) {
        let mut inner = self.lock();
        if inner.workers.remove(&worker) {
            inner.gone.insert(worker);
        }
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        self.lock().templates.entry(template.id).or_insert_with(|| Arc::new(template));
        Ok(())
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        Ok(self.lock().templates.get(&id).cloned())
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        let mut inner = self.lock();
        if !inner.templates.contains_key(&task.template) {
            return Err(StoreError::NoTemplate(task.template));
        }
        let head = TaskHead {
            id: task.id,
            template: task.template,
            state: TaskState::InProgress,
            correlation_id: task.correlation_id,
            context: task.context,
            created_at: task.created_at,
            settled_at: None,
        };
        let (steps, results) = (HashMap::new(), HashMap::new());
        inner
            .tasks
            .insert(task.id, TaskEntry { head, steps, moving: 0, ended: 0, attempts: Vec::new(), results });
        let mut claimed = Claimed::default();
        inner.make_ready(task.id, task.starts, &claim, &mut claimed);
        Ok(claimed)
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        let mut inner = self.lock();
        let mut claimed = Claimed::default();
        inner.claim_due(&claim, &mut claimed);
        let last_due_now = (claim.now, TaskId(uuid::Uuid::max()), StepIndex::MAX);
        claimed.next_due = inner.due.range((Excluded(last_due_now), Unbounded)).next().map(|next| next.0);
        Ok(claimed)
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        let mut inner = self.lock();
        let (task, step, now) = (attempt.claim.task, attempt.claim.step, attempt.finished_at);
        let Some(entry) = inner.tasks.get_mut(&task) else { return Ok(Finished::Stale) };
        let Some(row) = entry.steps.get_mut(&step).filter(|row| row.claim == Some(attempt.claim)) else {
            return Ok(Finished::Stale);
        };
        row.claim = None;
        entry.moving -= 1;
        let record = AttemptRecord::from(&attempt);
        let (mut ready, mut retry_at, mut complete) = (Vec::new(), None, false);
        match attempt.ending {
            Ending::Complete { result, dependents, ends } => {
                entry.steps.remove(&step);
                entry.results.insert(step, result);
                for dependent in dependents.iter().filter(|dependent| entry.satisfy(**dependent)) {
                    ready.push(dependent.step);
                }
                if let Some(ends) = ends {
                    entry.ended += 1;
                    complete = entry.ended == ends;
                }
            }
            Ending::Failed { retry_at: next, .. } => {
                row.due_at = next;
                row.state = if next.is_some() { StepState::WaitingForRetry } else { StepState::Error };
                entry.moving += usize::from(next.is_some());
                retry_at = next;
            }
        }
        entry.attempts.push(record);
        let settled = if complete {
            entry.settle(TaskState::Complete, now)
        } else if entry.moving == 0 && ready.is_empty() {
            entry.settle(TaskState::BlockedByFailures, now)
        } else {
            None
        };
        if let Some(retry_at) = retry_at {
            inner.due.insert((retry_at, task, step));
        }
        let mut claimed = Claimed::default();
        inner.make_ready(task, ready, &claim, &mut claimed);
        if claim.any {
            inner.claim_due(&claim, &mut claimed);
        }
        Ok(Finished::Recorded { claimed, settled })
    }

    async fn release(&self, claims: Vec<Claim>, now: Timestamp) -> Result<(), StoreError> {
        let mut inner = self.lock();
        for claim in claims {
            let row = inner.tasks.get_mut(&claim.task).and_then(|entry| entry.steps.get_mut(&claim.step));
            if let Some(row) = row.filter(|row| row.claim == Some(claim)) {
                row.claim = None;
                row.attempts -= 1;
                row.state = StepState::Ready;
                row.due_at = Some(now);
                inner.due.insert((now, claim.task, claim.step));
            }
        }
        Ok(())
    }

    async fn abandoned(&self) -> Result<Vec<Claim>, StoreError> {
        let mut inner = self.lock();
        if inner.gone.is_empty() {
            return Ok(Vec::new());
        }
        let claims = inner.tasks.values().flat_map(|entry| entry.steps.values().filter_map(|row| row.claim));
        let claims: Vec<Claim> = claims.filter(|claim| inner.gone.contains(&claim.worker)).collect();
        if claims.is_empty() {
            inner.gone.clear();
        }
        Ok(claims)
    }

    async fn inputs(&self, task: TaskId, steps: &[StepIndex]) -> Result<Option<TaskInputs>, StoreError> {
        let inner = self.lock();
        let Some(entry) = inner.tasks.get(&task) else { return Ok(None) };
        let results = steps.iter().map(|step| entry.results.get(step).cloned()).collect();
        let TaskHead { correlation_id, created_at, .. } = entry.head;
        Ok(Some(TaskInputs { context: entry.head.context.clone(), correlation_id, created_at, results }))
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let inner = self.lock();
        let Some(entry) = inner.tasks.get(&id) else { return Ok(None) };
        let mut attempts = entry.attempts.clone();
        attempts.sort_by_key(|attempt| (attempt.step, attempt.attempt));
        let mut steps: Vec<_> = entry
            .steps
            .iter()
            .map(|(step, row)| StepRecord {
                step: *step,
                state: row.state,
                attempts: row.attempts,
                due_at: row.due_at,
                claimed_at: row.claim.map(|claim| claim.claimed_at),
            })
            .collect();
        steps.sort_by_key(|step| step.step);
        Ok(Some(TaskRecord { head: entry.head.clone(), steps, attempts }))
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        let inner = self.lock();
        let mut heads: Vec<_> = inner
            .tasks
            .values()
            .map(|entry| &entry.head)
            .filter(|head| filter.state.is_none_or(|state| head.state == state))
            .filter(|head| filter.before.is_none_or(|before| head.id < before))
            .cloned()
            .collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.id));
        heads.truncate(filter.limit);
        Ok(heads)
    }
}
