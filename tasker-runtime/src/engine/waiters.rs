//! Who waits for a task to settle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::id::TaskId;

/// Callers that wait for tasks of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<TaskId, Arc<Notify>>>>);

/// One caller's place. Leaving it empty leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Waiters,
    task: TaskId,
    pub(crate) settled: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = Arc::clone(waiting.entry(task).or_default());
        Waiter { waiters: self.clone(), task, settled }
    }

    pub(crate) fn settle(&self, task: TaskId) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
        if let Some(settled) = waiting {
            settled.notify_waiters();
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours and the map's: nobody else is waiting.
        if Arc::strong_count(&self.settled) == 2 {
            waiting.remove(&self.task);
        }
    }
}
