//! A task that operations of a batch work on, from what is known of it to what is written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tasker_store::progress::{EndedAttempt, Progress};
use tasker_store::{Claim, TaskId, TaskState};

use crate::batch::Batch;
use crate::load::Loaded;

/// No task has this epoch.
const NEVER: i32 = -1;

/// The tasks that a batch works on.
pub(crate) type TaskUpdates = BTreeMap<TaskId, TaskUpdate>;

#[derive(Debug)]
pub(crate) struct TaskUpdate {
    pub(crate) progress: Progress,
    /// The epoch that the task must have for the batch to be written; `None` for a new task.
    pub(crate) epoch: Option<i32>,
    /// Whether the task was read under its lock, so that the epoch is raised.
    is_loaded: bool,
    /// Whether the task must be read: an operation names a claim that is not known here. A claim from the
    /// queue leaves the epoch as it is, so that the epoch cannot tell whether there is such a claim.
    must_be_loaded: bool,
    /// The task's state before the batch.
    before: TaskState,
    /// The time of the latest operation.
    pub(crate) at: Timestamp,
    /// The attempts that have ended; known only of a task that was read.
    pub(crate) ended: Vec<EndedAttempt>,
}

impl TaskUpdate {
    pub(crate) fn known(progress: Progress, epoch: i32) -> Self {
        Self {
            before: progress.state,
            progress,
            epoch: Some(epoch),
            is_loaded: false,
            must_be_loaded: false,
            at: Timestamp::UNIX_EPOCH,
            ended: Vec::new(),
        }
    }

    pub(crate) fn loaded(loaded: Loaded) -> Self {
        Self { is_loaded: true, ended: loaded.ended, ..Self::known(loaded.progress, loaded.epoch) }
    }

    pub(crate) fn created(progress: Progress, at: Timestamp) -> Self {
        Self { epoch: None, at, ..Self::known(progress, 0) }
    }

    /// Whether the claim holds, as far as is known here.
    pub(crate) fn holds(&mut self, claim: &Claim) -> bool {
        let holds = self.progress.holds(claim);
        self.must_be_loaded |= !holds && !self.is_loaded;
        holds
    }

    /// The task's epoch once the batch is written.
    pub(crate) fn new_epoch(&self) -> i32 {
        self.epoch.map_or(0, |epoch| epoch.wrapping_add(i32::from(self.is_loaded)))
    }

    /// Adds to the batch what has changed.
    pub(crate) fn write_down(&mut self, batch: &mut Batch) {
        if let Some(epoch) = self.epoch {
            let task = self.progress.task;
            batch.lock(task, if self.must_be_loaded { NEVER } else { epoch });
            let changed = self.progress.state != self.before;
            if self.is_loaded || changed {
                batch.update_task(task, self.new_epoch(), self.progress.state, changed.then_some(self.at));
            }
        }
        batch.steps(&mut self.progress);
    }
}
