//! Creates tasks, and begins with them at once.

use std::sync::Arc;

use tasker_store::{Created, Json, NewTaskRecord, StoreError, TaskHead, TaskId, TaskState};
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::shared::Engine;
use crate::handler::TaskFacts;

/// A task of the same identity, which was there before.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) id: TaskId,
    pub(crate) context: Json,
}

impl Engine {
    /// Creates a task, and starts at once what there are slots for. `Some` when there is a task of the same
    /// identity already.
    ///
    /// This runs in the background: a caller that stops waiting leaves no claim without its attempt, and a
    /// shutdown waits for it.
    pub(crate) async fn create(
        self: &Arc<Self>,
        task: NewTaskRecord,
        facts: TaskFacts,
    ) -> Result<Option<Duplicate>, StoreError> {
        let engine = Arc::clone(self);
        let creating = self.background.spawn(async move {
            let slots = engine.take_slots(task.graph.roots().len()).filter(|_| engine.runs_steps);
            let free = slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let request = engine.claim_request(free, false);
            let (template, wakes_later) = (task.template, task.run_at.is_some());
            let active = engine.tasks.insert(facts, Some(head(&task)), task.created_at);
            let created = match engine.store.create_task(task, request).await {
                Ok(Created::New(claimed)) => {
                    engine.note_claims(&claimed);
                    if !claimed.left.is_empty()
                        && let Ok(bound) = engine.templates.get(template, &*engine.store).await
                    {
                        engine.report_left(&bound, &claimed);
                    }
                    if claimed.more {
                        engine.set_backlog(true);
                    }
                    engine.start_attempts(claimed.claims, Some(&active), slots);
                    if wakes_later {
                        engine.wake.notify_one();
                    }
                    Ok(None)
                }
                Ok(Created::Duplicate { id, context }) => Ok(Some(Duplicate { id, context })),
                Err(error) => Err(error),
            };
            engine.tasks.forget(active);
            created
        });
        creating.await.map_err(|_| StoreError::Closed)?
    }
}

/// A task as it is right after its creation.
fn head(task: &NewTaskRecord) -> TaskHead {
    TaskHead {
        id: task.id,
        template: task.template,
        state: TaskState::InProgress,
        correlation_id: task.correlation_id,
        context: task.context.clone(),
        priority: task.priority,
        origin: task.origin.clone(),
        created_at: task.created_at,
        settled_at: None,
    }
}
