//! Tasks that have a step under way here: their contexts and results, so that a dependent in the
//! same process is handed them without asking the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tasker_template::StepIndex;

use crate::handler::{StepInputs, TaskFacts};
use crate::id::TaskId;
use crate::json::Json;
use crate::store::{Store, StoreError};

/// A task that has a step under way here.
#[derive(Debug)]
pub(crate) struct ActiveTask {
    pub(crate) facts: Arc<TaskFacts>,
    results: Mutex<HashMap<StepIndex, Json>>,
}

impl ActiveTask {
    pub(crate) fn record(&self, step: StepIndex, result: Json) {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(step, result);
    }

    /// The results of `steps`; those of other workers and of earlier processes come from the store.
    pub(crate) async fn results(
        &self,
        steps: &[(String, StepIndex)],
        store: &dyn Store,
    ) -> Result<StepInputs, StoreError> {
        let mut found: Vec<Option<Json>> = {
            let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
            steps.iter().map(|(_, step)| results.get(step).cloned()).collect()
        };
        if found.iter().any(Option::is_none) {
            let missing: Vec<StepIndex> = steps
                .iter()
                .zip(&found)
                .filter(|(_, found)| found.is_none())
                .map(|((_, step), _)| *step)
                .collect();
            let read =
                store.inputs(self.facts.id, &missing).await?.map(|inputs| inputs.results).unwrap_or_default();
            let mut read = missing.into_iter().zip(read);
            for slot in found.iter_mut().filter(|slot| slot.is_none()) {
                let Some((step, result)) = read.next() else { break };
                if let Some(result) = &result {
                    self.record(step, result.clone());
                }
                *slot = result;
            }
        }
        Ok(found.into())
    }
}

/// All tasks that have a step under way here. A task is forgotten with its last step.
#[derive(Debug, Default)]
pub(crate) struct ActiveTasks(Mutex<HashMap<TaskId, Weak<ActiveTask>>>);

impl ActiveTasks {
    /// Begins with what its creator knows already.
    pub(crate) fn insert(&self, facts: TaskFacts) -> Arc<ActiveTask> {
        let id = facts.id;
        let task = Arc::new(ActiveTask { facts: Arc::new(facts), results: Mutex::default() });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::downgrade(&task));
        task
    }

    /// `None` when the store has no such task.
    pub(crate) async fn get(
        &self,
        id: TaskId,
        store: &dyn Store,
    ) -> Result<Option<Arc<ActiveTask>>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).and_then(Weak::upgrade);
        if known.is_some() {
            return Ok(known);
        }
        let Some(inputs) = store.inputs(id, &[]).await? else { return Ok(None) };
        let facts = TaskFacts { id, correlation_id: inputs.correlation_id, context: inputs.context };
        Ok(Some(self.insert(facts)))
    }

    pub(crate) fn forget(&self, task: Arc<ActiveTask>) {
        let id = task.facts.id;
        drop(task);
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.get(&id).is_some_and(|weak| weak.strong_count() == 0) {
            tasks.remove(&id);
        }
    }
}
