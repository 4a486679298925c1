//! The tasks of which a step runs in this worker. Their contexts, results and attempts are kept here, so that
//! a dependent that runs here as well, and a caller that waits for the task, need not ask the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tasker_store::{
    AttemptRecord, Claim, IdMap, Json, StepKey, Store, StoreError, TaskHead, TaskId, TaskInputs, TaskRecord,
    TaskState,
};
use tasker_template::StepIndex;

use crate::handler::{StepInputs, TaskFacts};

/// A task of which a step runs in this worker.
#[derive(Debug)]
pub(crate) struct ActiveTask {
    pub(crate) facts: Arc<TaskFacts>,
    /// The task as it was created, when this worker created it.
    head: Option<TaskHead>,
    memory: Mutex<Memory>,
}

/// What is known of the task without asking the store.
#[derive(Debug, Default)]
struct Memory {
    /// The latest claim, by when it was made, after which the context was read. While that claim or an earlier one
    /// holds, nobody can amend it.
    read_for: Timestamp,
    results: BTreeMap<StepKey, Json>,
    /// The attempts that ended in this worker.
    attempts: Vec<AttemptRecord>,
}

impl ActiveTask {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an attempt that is about to be recorded. That cannot wait until it is: the operation that
    /// records it also claims the step's dependents, which may run at once. Nobody reads it before.
    pub(crate) fn remember(&self, attempt: AttemptRecord) {
        let mut memory = self.memory();
        if let Some(result) = &attempt.result {
            memory.results.insert(attempt.key, result.clone());
        }
        memory.attempts.push(attempt);
    }

    /// Forgets an attempt that was not recorded after all.
    pub(crate) fn forget(&self, key: StepKey, attempt: u32) {
        let mut memory = self.memory();
        memory.results.remove(&key);
        memory.attempts.retain(|one| (one.key, one.attempt) != (key, attempt));
    }

    /// The task as it ended, when this worker created it and completed each of its `steps` steps by the first
    /// attempt. `None` for any other: other workers or operators may have had a part in it, so that the store
    /// has to be asked.
    pub(crate) fn completed(&self, steps: usize, settled_at: Timestamp) -> Option<TaskRecord> {
        let mut attempts = self.memory().attempts.clone();
        attempts.sort_unstable_by_key(|attempt| (attempt.key, attempt.attempt));
        let is_plain = |(step, attempt): (StepIndex, &AttemptRecord)| {
            attempt.key == step.into() && attempt.attempt == 1 && attempt.result.is_some()
        };
        if attempts.len() != steps || !(0..).zip(&attempts).all(is_plain) {
            return None;
        }
        let head =
            TaskHead { state: TaskState::Complete, settled_at: Some(settled_at), ..self.head.clone()? };
        Some(TaskRecord { head, steps: Vec::new(), attempts, actions: Vec::new() })
    }

    /// The results of `steps`; those of other workers and of earlier processes come from the store.
    pub(crate) async fn results(
        &self,
        run: StepKey,
        steps: &[(String, StepIndex)],
        store: &dyn Store,
    ) -> Result<StepInputs, StoreError> {
        let mut found: Vec<Option<Json>> = {
            let memory = self.memory();
            steps.iter().map(|(_, step)| memory.results.get(&(*step).into()).cloned()).collect()
        };
        if found.iter().any(Option::is_none) {
            let missing: Vec<StepIndex> = steps
                .iter()
                .zip(&found)
                .filter(|(_, found)| found.is_none())
                .map(|((_, step), _)| *step)
                .collect();
            let read = store
                .inputs(self.facts.id, run, &missing)
                .await?
                .map(|inputs| inputs.results)
                .unwrap_or_default();
            let mut read = missing.into_iter().zip(read);
            for slot in found.iter_mut().filter(|slot| slot.is_none()) {
                let Some((step, result)) = read.next() else { break };
                if let Some(result) = &result {
                    self.memory().results.insert(step.into(), result.clone());
                }
                *slot = result;
            }
        }
        Ok(found.into())
    }
}

/// All tasks of which a step runs in this worker. A task is forgotten with its last step, or when it settles.
#[derive(Debug, Default)]
pub(crate) struct ActiveTasks(Mutex<IdMap<TaskId, Weak<ActiveTask>>>);

impl ActiveTasks {
    /// Adds a task with what its creator, or the store, has told of it.
    pub(crate) fn insert(
        &self,
        facts: TaskFacts,
        head: Option<TaskHead>,
        read_for: Timestamp,
    ) -> Arc<ActiveTask> {
        let id = facts.id;
        let memory = Mutex::new(Memory { read_for, ..Memory::default() });
        let task = Arc::new(ActiveTask { facts: Arc::new(facts), head, memory });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::downgrade(&task));
        task
    }

    /// The task, from the store when it is not known here, and then together with the results that a step
    /// reads. `None` when the store has no such task.
    pub(crate) async fn get(
        &self,
        claim: &Claim,
        reads: &[(String, StepIndex)],
        store: &dyn Store,
    ) -> Result<Option<Arc<ActiveTask>>, StoreError> {
        let id = claim.task;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).and_then(Weak::upgrade);
        // Whatever this worker still runs of the task may have been revoked, and the context been amended since.
        if let Some(known) = known.as_ref().filter(|known| claim.claimed_at <= known.memory().read_for) {
            return Ok(Some(Arc::clone(known)));
        }
        let steps: Vec<StepIndex> = reads.iter().map(|(_, step)| *step).collect();
        let Some(inputs) = store.inputs(id, claim.key, &steps).await? else { return Ok(None) };
        let TaskInputs { context, correlation_id, results, .. } = inputs;
        let task = match known.filter(|known| known.facts.context.get() == context.get()) {
            Some(known) => {
                let mut memory = known.memory();
                memory.read_for = memory.read_for.max(claim.claimed_at);
                drop(memory);
                known
            }
            None => self.insert(TaskFacts { id, correlation_id, context }, None, claim.claimed_at),
        };
        let results = steps.into_iter().zip(results);
        task.memory().results.extend(results.filter_map(|(step, result)| Some((step.into(), result?))));
        Ok(Some(task))
    }

    /// Whether a step of the task runs in this worker, so that the task has not settled.
    pub(crate) fn contains(&self, id: TaskId) -> bool {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.get(&id).is_some_and(|weak| weak.strong_count() > 0)
    }

    /// The task has settled: from now on the store is asked about it.
    pub(crate) fn settle(&self, id: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The caller no longer needs the task; if nobody does, it is forgotten.
    pub(crate) fn forget(&self, task: Arc<ActiveTask>) {
        let id = task.facts.id;
        drop(task);
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.get(&id).is_some_and(|weak| weak.strong_count() == 0) {
            tasks.remove(&id);
        }
    }
}
