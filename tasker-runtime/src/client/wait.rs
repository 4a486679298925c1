//! Waiting for the end of a task, whichever process runs it.

use tasker_store::{TaskId, TaskRecord, TaskState};

use crate::client::error::Error;
use crate::client::look;
use crate::client::task::{Task, TaskFailure};
use crate::engine::{Engine, Waiter};

pub(crate) async fn wait(engine: &Engine, id: TaskId) -> Result<Task, Error> {
    let mut stopped = false;
    let mut waiter = engine.waiters.wait_for(id);
    loop {
        if stopped {
            if let Some(task) = settled_task(look::task(engine, id).await?)? {
                return Ok(task);
            }
            if !engine.is_active(id) {
                return Err(Error::ShutDown);
            }
        }
        stopped |= wait_for_news(engine, &waiter, stopped).await?;
        if waiter.is_over() {
            let task = match waiter.ended() {
                Some(record) => {
                    let bound = engine.templates.of_record(&record, &*engine.store).await?;
                    Task::new(record, &bound)
                }
                None => look::task(engine, id).await?,
            };
            if let Some(task) = settled_task(task)? {
                return Ok(task);
            }
            // It goes on: an operator has retried a step.
            waiter = engine.waiters.wait_for(id);
        }
    }
}

/// Waits until there may be news of the task. Returns whether the worker has been told to stop.
async fn wait_for_news(engine: &Engine, waiter: &Waiter, stopped: bool) -> Result<bool, Error> {
    let mut settled = std::pin::pin!(waiter.settled());
    // From here on, the end of a task that this engine runs is not missed. Other tasks are looked for in the
    // store: by the first who waits for one, and then for all of them together at intervals.
    settled.as_mut().enable();
    if waiter.is_over() || (!engine.is_active(waiter.task()) && is_over(engine, waiter).await?) {
        return Ok(false);
    }
    tokio::select! {
        () = settled => {}
        () = tokio::time::sleep(engine.settings.poll_interval) => engine.poll_waited_for().await,
        () = engine.stopped(), if !stopped => return Ok(true),
    }
    Ok(false)
}

/// Whether the task has settled, as the store tells the first of those who wait for it.
async fn is_over(engine: &Engine, waiter: &Waiter) -> Result<bool, Error> {
    let Some(mut looked) = waiter.first_look().await else { return Ok(waiter.is_over()) };
    let id = waiter.task();
    let record: TaskRecord = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
    *looked = true;
    if record.head.state == TaskState::InProgress {
        return Ok(false);
    }
    engine.waiters.settle(id, || Some(record));
    Ok(true)
}

/// The task if it is complete; an error if it has settled in another state; `None` while it is in progress.
fn settled_task(task: Task) -> Result<Option<Task>, Error> {
    match task.state {
        TaskState::Complete => Ok(Some(task)),
        TaskState::InProgress => Ok(None),
        _ => Err(Error::Failed(Box::new(TaskFailure::new(task)))),
    }
}
