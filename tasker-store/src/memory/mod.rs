//! Tasks in memory: for tests, and for workflows that need not outlive their process.

mod doctor;
mod limits;
mod queues;
mod workers;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::action::{Acted, ActionRecord, ActionRequest, OperatorAction};
use crate::attempt::{AttemptRecord, Ending, Finished, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest, Claimed};
use crate::doctor::{Facts, FactsRequest, Finding};
use crate::error::StoreError;
use crate::id::{IdMap, TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::key::StepKey;
use crate::limit::{FleetLimit, LimitScope};
use crate::permit::{LimitRecord, PermitGrants, PermitRequest};
use crate::progress::Progress;
use crate::sealed::Sealed;
use crate::state::TaskState;
use crate::store::Store;
use crate::task::{
    Created, Identity, NewTaskRecord, PruneRequest, StepRecord, TaskFilter, TaskGlance, TaskHead, TaskInputs,
    TaskRecord,
};
use crate::template::TemplateRecord;
use crate::worker::{ProgramRecord, WorkerInfo, WorkerRecord};
use limits::Limits;
use queues::Queues;
use workers::Workers;

/// Keeps tasks in memory. They are gone when the process ends.
///
/// ```
/// # tokio_test(async {
/// use tasker::Tasker;
/// let tasker = Tasker::builder().store(tasker::store::MemoryStore::new()).build().await.unwrap();
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
    templates: IdMap<TemplateId, Arc<TemplateRecord>>,
    tasks: BTreeMap<TaskId, TaskEntry>,
    identities: HashMap<Identity, TaskId>,
    queues: Queues,
    workers: Workers,
    limits: Limits,
}

#[derive(Debug)]
struct TaskEntry {
    head: TaskHead,
    identity: Option<Identity>,
    progress: Progress,
    attempts: Vec<AttemptRecord>,
    results: BTreeMap<StepKey, Json>,
    /// The inputs of runs that are among several.
    inputs: IdMap<StepKey, Json>,
    actions: Vec<ActionRecord>,
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
    fn claim_due(&mut self, request: &ClaimRequest, claimed: &mut Claimed) {
        let mut taken = Vec::new();
        for &(_, task, key) in &self.queues.ready {
            let Some(entry) = self.tasks.get(&task) else { continue };
            let template = entry.progress.template;
            let serves = |template: &Arc<TemplateRecord>| request.serves(&template.namespace);
            if !request.takes(template, key.step) || !self.templates.get(&template).is_some_and(serves) {
                continue;
            }
            if claimed.claims.len() + taken.len() >= request.limit {
                claimed.more = true;
                break;
            }
            taken.push((task, key));
        }
        for (task, key) in taken {
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            claimed.claims.push(entry.progress.claim(key, request.worker, request.now));
            self.queues.follow(&mut entry.progress, &mut entry.inputs);
        }
    }
}

impl TaskEntry {
    fn settle(&mut self, state: Option<TaskState>, now: Timestamp) {
        if let Some(state) = state {
            self.head.state = state;
            self.head.settled_at = state.is_settled().then_some(now);
        }
    }

    fn record(&mut self, attempt: AttemptRecord) {
        if let Some(result) = &attempt.result {
            self.results.insert(attempt.key, result.clone());
        }
        self.attempts.push(attempt);
    }

    /// The result of a step: that of its only run, or the list of what its several runs have returned.
    fn result(&self, step: StepIndex) -> Option<Json> {
        if let Some(result) = self.results.get(&step.into()) {
            return Some(result.clone());
        }
        let several = StepKey::instance(step, 1)..=StepKey::instance(step, u32::MAX);
        let results: Vec<&Json> = self.results.range(several).map(|(_, result)| result).collect();
        (!results.is_empty()).then(|| Json::list(results))
    }
}

impl Sealed for MemoryStore {}

#[async_trait]
impl Store for MemoryStore {
    fn name(&self) -> String {
        "memory:".to_owned()
    }

    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        started_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.lock().workers.register(worker, info, started_at);
        Ok(())
    }

    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        Ok(self.lock().workers.program_of(worker))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        let inner = self.lock();
        let mut running: HashMap<WorkerId, u32> = HashMap::new();
        for claim in inner.tasks.values().flat_map(|entry| entry.progress.claims()) {
            *running.entry(claim.worker).or_default() += 1;
        }
        Ok(inner.workers.records(&running))
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.worker_died(worker);
        Ok(())
    }

    fn worker_died(&self, worker: WorkerId) {
        self.lock().workers.set_dead(worker);
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        self.lock().templates.entry(template.id).or_insert_with(|| Arc::new(template));
        Ok(())
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        Ok(self.lock().templates.get(&id).cloned())
    }

    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        Ok(self.lock().templates.keys().copied().collect())
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        let mut inner = self.lock();
        if !inner.templates.contains_key(&task.template) {
            return Err(StoreError::NoTemplate(task.template));
        }
        if let Some(id) = task.identity.and_then(|identity| inner.identities.get(&identity)).copied()
            && let Some(entry) = inner.tasks.get(&id)
        {
            return Ok(Created::Duplicate { id, context: entry.head.context.clone() });
        }
        let head = TaskHead {
            id: task.id,
            template: task.template,
            state: TaskState::InProgress,
            correlation_id: task.correlation_id,
            context: task.context,
            priority: task.priority,
            origin: task.origin,
            created_at: task.created_at,
            settled_at: None,
        };
        let mut progress = Progress::new(task.id, task.template, task.priority);
        let moved = progress.start(&task.graph, task.run_at, task.created_at, &claim);
        let mut inputs = IdMap::default();
        inner.queues.follow(&mut progress, &mut inputs);
        if let Some(identity) = task.identity {
            inner.identities.insert(identity, task.id);
        }
        let entry = TaskEntry {
            head,
            identity: task.identity,
            progress,
            attempts: Vec::new(),
            results: BTreeMap::new(),
            inputs,
            actions: Vec::new(),
        };
        inner.tasks.insert(task.id, entry);
        Ok(Created::New(moved.claimed))
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        let mut inner = self.lock();
        for (task, key) in inner.queues.promote(claim.now) {
            if let Some(entry) = inner.tasks.get_mut(&task) {
                entry.progress.due(key);
            }
        }
        let mut claimed = Claimed::default();
        inner.claim_due(&claim, &mut claimed);
        claimed.next_due = inner.queues.waiting.first().map(|first| first.0);
        Ok(claimed)
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        if let Ending::Complete { writes, .. } = &attempt.ending
            && let Some(write) = writes.first()
        {
            let reason = "a store in memory has no tables; use SQLite or PostgreSQL, and in tests \
                 `TestEngine::tables`"
                .to_owned();
            return Err(StoreError::Write { sql: write.sql.clone(), reason, passing: false });
        }
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(entry) = inner.tasks.get_mut(&attempt.claim.task) else { return Ok(Finished::Stale) };
        let Some(moved) = entry.progress.finish(&attempt, &claim) else { return Ok(Finished::Stale) };
        inner.queues.follow(&mut entry.progress, &mut entry.inputs);
        entry.record(AttemptRecord::from(&attempt));
        moved.records.into_iter().for_each(|record| entry.record(record));
        entry.settle(moved.state, attempt.finished_at);
        let mut claimed = moved.claimed;
        if claim.any {
            inner.claim_due(&claim, &mut claimed);
        }
        Ok(Finished::Recorded { claimed, settled: moved.state.filter(|state| state.is_settled()) })
    }

    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        for claim in claims {
            if let Some(entry) = inner.tasks.get_mut(&claim.task)
                && entry.progress.release(&claim, due_at, now)
            {
                inner.queues.follow(&mut entry.progress, &mut entry.inputs);
            }
        }
        Ok(())
    }

    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        let inner = self.lock();
        let holds =
            |claim: &Claim| inner.tasks.get(&claim.task).is_some_and(|entry| entry.progress.holds(claim));
        Ok(claims.into_iter().filter(|claim| !holds(claim)).collect())
    }

    async fn act(&self, request: ActionRequest) -> Result<Acted, StoreError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(entry) = inner.tasks.get_mut(&request.task) else { return Ok(Acted::NoTask) };
        let moved = match entry.progress.act(&request) {
            Ok(moved) => moved,
            Err(refusal) => return Ok(Acted::Refused(refusal)),
        };
        inner.queues.follow(&mut entry.progress, &mut entry.inputs);
        moved.records.into_iter().for_each(|record| entry.record(record));
        if let Some(record) = moved.replaced {
            entry.attempts.retain(|one| (one.key, one.attempt) != (record.key, record.attempt));
            entry.record(*record);
        }
        if let OperatorAction::Amend { context } = &request.action {
            entry.head.context = context.clone();
        }
        entry.actions.push(ActionRecord::new(&request, moved.details));
        entry.settle(moved.state, request.at);
        Ok(Acted::Done { state: entry.head.state, revoked: moved.revoked })
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        let mut inner = self.lock();
        let matches = |entry: &&TaskEntry| {
            let head = &entry.head;
            head.state.is_over()
                && prune.states.contains(&head.state)
                && head.settled_at.is_some_and(|settled_at| settled_at < prune.settled_before)
        };
        let ids: Vec<TaskId> =
            inner.tasks.values().filter(matches).take(prune.limit).map(|entry| entry.head.id).collect();
        for id in &ids {
            let Some(mut entry) = inner.tasks.remove(id) else { continue };
            if let Some(identity) = entry.identity {
                inner.identities.remove(&identity);
            }
            let queues = &mut inner.queues;
            entry.progress.runs().for_each(|(key, _)| queues.remove(*id, key));
            queues.follow(&mut entry.progress, &mut entry.inputs);
        }
        let ids_left = inner.tasks.keys().next().copied().zip(inner.tasks.keys().next_back().copied());
        inner.workers.prune_programs(ids_left);
        Ok(ids.len())
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        self.lock().limits.set(limit);
        Ok(())
    }

    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        Ok(self.lock().limits.remove(&scope))
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        let inner = self.lock();
        Ok(inner.limits.records(|worker| inner.workers.is_alive(worker)))
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        let mut inner = self.lock();
        let Inner { limits, workers, .. } = &mut *inner;
        Ok(limits.permits(&request, |worker| workers.is_alive(worker)))
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        let mut inner = self.lock();
        if !inner.workers.has_dead() {
            return Ok(Vec::new());
        }
        let claims = inner.tasks.values().flat_map(|entry| entry.progress.claims());
        let claims: Vec<Claim> = claims.filter(|claim| inner.workers.is_dead(claim.worker)).collect();
        if claims.is_empty() {
            inner.workers.forget_dead();
        }
        Ok(claims)
    }

    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError> {
        let inner = self.lock();
        let Some(entry) = inner.tasks.get(&task) else { return Ok(None) };
        let results = steps.iter().map(|step| entry.result(*step)).collect();
        let TaskHead { correlation_id, created_at, .. } = entry.head;
        let (context, input) = (entry.head.context.clone(), entry.inputs.get(&run).cloned());
        Ok(Some(TaskInputs { context, correlation_id, created_at, results, input }))
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let inner = self.lock();
        let Some(entry) = inner.tasks.get(&id) else { return Ok(None) };
        let mut attempts = entry.attempts.clone();
        attempts.sort_by_key(|attempt| (attempt.key, attempt.attempt));
        let steps = entry.progress.runs().map(|(key, run)| StepRecord::new(key, run)).collect();
        Ok(Some(TaskRecord { head: entry.head.clone(), steps, attempts, actions: entry.actions.clone() }))
    }

    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        let inner = self.lock();
        let known = tasks.iter().filter_map(|id| inner.tasks.get(id));
        let glance = |entry: &TaskEntry| {
            let runs = entry.progress.runs().map(|(key, run)| StepRecord::new(key, run)).collect();
            TaskGlance { id: entry.head.id, state: entry.head.state, runs }
        };
        Ok(known.map(glance).collect())
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        let inner = self.lock();
        let of_template = |head: &&TaskHead| {
            let template = inner.templates.get(&head.template);
            let is = |wanted: &Option<String>, own: fn(&TemplateRecord) -> &str| {
                wanted
                    .as_deref()
                    .is_none_or(|wanted| template.is_some_and(|template| own(template) == wanted))
            };
            is(&filter.namespace, |template| &template.namespace)
                && is(&filter.name, |template| &template.name)
        };
        let was_given_up = |entry: &&TaskEntry| entry.actions.iter().any(|action| action.action == "give_up");
        let entries = inner.tasks.values().rev();
        let heads = entries
            .filter(|entry| !filter.given_up || was_given_up(entry))
            .map(|entry| &entry.head)
            .filter(|head| filter.states.is_empty() || filter.states.contains(&head.state))
            .filter(|head| filter.before.is_none_or(|before| head.id < before))
            .filter(|head| filter.tag.as_ref().is_none_or(|tag| head.origin.tags.contains(tag)))
            .filter(|head| filter.correlation_id.is_none_or(|id| head.correlation_id == id))
            .filter(of_template);
        Ok(heads.take(filter.limit).cloned().collect())
    }

    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        Ok(doctor::facts(&self.lock(), request))
    }

    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        let mut inner = self.lock();
        let Inner { limits, workers, .. } = &mut *inner;
        Ok(limits.inspect(|worker| workers.is_alive(worker), repair))
    }
}
