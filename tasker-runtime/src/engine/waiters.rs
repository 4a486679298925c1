//! Who waits for a task to settle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tasker_store::{TaskId, TaskRecord};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Callers that wait for tasks of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Mutex<HashMap<TaskId, Arc<Place>>>>);

#[derive(Debug, Default)]
struct Place {
    notify: Notify,
    /// The task as it ended, when that was known here without asking the store.
    ended: Mutex<Option<TaskRecord>>,
}

/// One caller's place. Leaving it empty leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Waiters,
    task: TaskId,
    place: Arc<Place>,
}

impl Waiters {
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(waiting.entry(task).or_default());
        Waiter { waiters: self.clone(), task, place }
    }

    /// Tells all who wait for the task; `ended` is asked only when somebody does.
    pub(crate) fn settle(&self, task: TaskId, ended: impl FnOnce() -> Option<TaskRecord>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
        if let Some(place) = waiting {
            *place.ended.lock().unwrap_or_else(PoisonError::into_inner) = ended();
            place.notify.notify_waiters();
        }
    }
}

impl Waiter {
    /// Completes when the task settles.
    pub(crate) fn settled(&self) -> Notified<'_> {
        self.place.notify.notified()
    }

    /// The task as it ended, when that was known here without asking the store.
    pub(crate) fn ended(&self) -> Option<TaskRecord> {
        self.place.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = waiting.get(&self.task).is_some_and(|place| Arc::ptr_eq(place, &self.place));
        // Ours and the map's: nobody else is waiting.
        if is_ours && Arc::strong_count(&self.place) == 2 {
            waiting.remove(&self.task);
        }
    }
}
