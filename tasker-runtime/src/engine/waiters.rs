//! Callers that wait for a task to settle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tasker_store::{TaskId, TaskRecord};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Callers that wait for tasks of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<TaskId, Arc<SettledSignal>>>>);

/// What all callers that wait for one task share.
#[derive(Debug, Default)]
struct SettledSignal {
    notify: Notify,
    /// The task as it ended, when that was known here without asking the store.
    ended: Mutex<Option<TaskRecord>>,
}

/// One caller that waits. When the last of a task is dropped, nothing of it is kept.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Waiters,
    task: TaskId,
    signal: Arc<SettledSignal>,
}

impl Waiters {
    /// Begins to wait for a task.
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signal = Arc::clone(waiting.entry(task).or_default());
        Waiter { waiters: self.clone(), task, signal }
    }

    /// Tells all who wait for the task; `ended` is asked only when somebody does.
    pub(crate) fn settle(&self, task: TaskId, ended: impl FnOnce() -> Option<TaskRecord>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
        if let Some(signal) = waiting {
            *signal.ended.lock().unwrap_or_else(PoisonError::into_inner) = ended();
            signal.notify.notify_waiters();
        }
    }
}

impl Waiter {
    /// Completes when the task settles.
    pub(crate) fn settled(&self) -> Notified<'_> {
        self.signal.notify.notified()
    }

    /// The task as it ended, when that was known here without asking the store.
    pub(crate) fn ended(&self) -> Option<TaskRecord> {
        self.signal.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = waiting.get(&self.task).is_some_and(|signal| Arc::ptr_eq(signal, &self.signal));
        // Two references, ours and the map's: nobody else is waiting.
        if is_ours && Arc::strong_count(&self.signal) == 2 {
            waiting.remove(&self.task);
        }
    }
}
