//! Callers that wait for a task to settle.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_store::{IdMap, StoreError, TaskId, TaskRecord, TaskState, chain};
use tokio::sync::futures::Notified;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Notify};
use tokio::time::Instant;

use crate::engine::shared::Engine;

/// The largest number of tasks that the store is asked about at once.
const PAGE: usize = 1_000;

/// Callers that wait for tasks, whichever process runs them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiters(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    tasks: Mutex<IdMap<TaskId, Arc<SettledSignal>>>,
    /// When the store was last asked about the tasks that others run. Locked by the one caller that asks.
    polled: AsyncMutex<Option<Instant>>,
}

/// What all callers that wait for one task share.
#[derive(Debug, Default)]
struct SettledSignal {
    notify: Notify,
    /// Whether the task has settled since.
    is_over: AtomicBool,
    /// The task as it ended, when that is known here without asking the store.
    ended: Mutex<Option<TaskRecord>>,
    /// Whether one of the callers has seen in the store that the task is there, and has not settled.
    looked: AsyncMutex<bool>,
}

/// One caller that waits. When the last of a task is dropped, nothing of it is kept.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Waiters,
    task: TaskId,
    signal: Arc<SettledSignal>,
}

impl Waiters {
    fn tasks(&self) -> MutexGuard<'_, IdMap<TaskId, Arc<SettledSignal>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for a task.
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let signal = Arc::clone(self.tasks().entry(task).or_default());
        Waiter { waiters: self.clone(), task, signal }
    }

    /// Tells all who wait for the task; `ended` is asked only when somebody does.
    pub(crate) fn settle(&self, task: TaskId, ended: impl FnOnce() -> Option<TaskRecord>) {
        let waiting = self.tasks().remove(&task);
        if let Some(signal) = waiting {
            *signal.ended.lock().unwrap_or_else(PoisonError::into_inner) = ended();
            signal.is_over.store(true, Ordering::SeqCst);
            signal.notify.notify_waiters();
        }
    }
}

impl Waiter {
    /// The task that is waited for.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// Completes when the task settles.
    pub(crate) fn settled(&self) -> Notified<'_> {
        self.signal.notify.notified()
    }

    /// Whether the task has settled since the caller began to wait.
    pub(crate) fn is_over(&self) -> bool {
        self.signal.is_over.load(Ordering::SeqCst)
    }

    /// The task as it ended, when that is known here without asking the store.
    pub(crate) fn ended(&self) -> Option<TaskRecord> {
        self.signal.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is for this caller to look at the task in the store: no other that waits for it has. The
    /// others wait until it has looked, or failed to.
    pub(crate) async fn first_look(&self) -> Option<AsyncMutexGuard<'_, bool>> {
        let looked = self.signal.looked.lock().await;
        (!*looked && !self.is_over()).then_some(looked)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.tasks();
        let is_ours = waiting.get(&self.task).is_some_and(|signal| Arc::ptr_eq(signal, &self.signal));
        // Two references, ours and the map's: nobody else is waiting.
        if is_ours && Arc::strong_count(&self.signal) == 2 {
            waiting.remove(&self.task);
        }
    }
}

impl Engine {
    /// Looks in the store for all tasks that somebody waits for and that do not run here, and tells those who
    /// wait for one that has settled. Does nothing when another caller does so, or has not long ago.
    pub(crate) async fn poll_waited_for(&self) {
        let Ok(mut polled) = self.waiters.0.polled.try_lock() else { return };
        if polled.is_some_and(|at| at.elapsed() < self.settings.poll_interval / 2) {
            return;
        }
        let waited_for: Vec<TaskId> = self.waiters.tasks().keys().copied().collect();
        let elsewhere: Vec<TaskId> = waited_for.into_iter().filter(|task| !self.is_active(*task)).collect();
        for tasks in elsewhere.chunks(PAGE) {
            if let Err(error) = self.tell_who_waits(tasks).await {
                tracing::debug!(error = %chain(&error), "the store could not be asked for tasks that are waited for");
                // Each looks for itself, and tells its caller what the store says.
                for task in tasks {
                    let signal = self.waiters.tasks().get(task).cloned();
                    if let Some(signal) = signal {
                        *signal.looked.lock().await = false;
                    }
                }
            }
        }
        *polled = Some(Instant::now());
    }

    async fn tell_who_waits(&self, tasks: &[TaskId]) -> Result<(), StoreError> {
        let seen = self.store.glance(tasks).await?;
        let moving = seen.iter().filter(|one| one.state == TaskState::InProgress);
        let moving: HashSet<TaskId> = moving.map(|one| one.id).collect();
        for task in tasks {
            if !moving.contains(task) {
                // Read once for all who wait for it; one that was deleted each of them looks for in vain.
                let record = self.store.task(*task).await?;
                self.waiters.settle(*task, || record);
            }
        }
        Ok(())
    }
}
