//! Waiting for the end of a task, whichever process runs it.

use tasker_store::{TaskId, TaskState};

use crate::client::error::Error;
use crate::client::look;
use crate::client::task::{Task, TaskFailure};
use crate::engine::Engine;

pub(crate) async fn wait(engine: &Engine, id: TaskId) -> Result<Task, Error> {
    let mut stopped = false;
    loop {
        let waiter = engine.waiters.wait_for(id);
        let mut settled = std::pin::pin!(waiter.settled());
        // From here on, the end of a task that this engine runs is not missed. For other tasks the store is
        // asked at intervals.
        settled.as_mut().enable();
        if (stopped || !engine.is_active(id))
            && let Some(task) = settled_task(look::task(engine, id).await?)?
        {
            return Ok(task);
        }
        if stopped && !engine.is_active(id) {
            return Err(Error::ShutDown);
        }
        tokio::select! {
            () = settled => {
                if let Some(record) = waiter.ended() {
                    let bound = engine.templates.get(record.head.template, &*engine.store).await?;
                    if let Some(task) = settled_task(Task::new(record, &bound))? {
                        return Ok(task);
                    }
                }
            }
            () = tokio::time::sleep(engine.settings.poll_interval) => {}
            () = engine.stopped(), if !stopped => stopped = true,
        }
    }
}

/// The task if it is complete; an error if it has settled in another state; `None` while it is in progress.
fn settled_task(task: Task) -> Result<Option<Task>, Error> {
    match task.state {
        TaskState::Complete => Ok(Some(task)),
        TaskState::InProgress => Ok(None),
        _ => Err(Error::Failed(Box::new(TaskFailure::new(task)))),
    }
}
