//! A task that operations of a batch work on, from what is known of it to what is written.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tasker_store::progress::{Change, Progress};
use tasker_store::{Claim, TaskState};

use crate::batch::Batch;
use crate::load::{self, Ended};

/// No task has this epoch.
const NEVER: i32 = -1;

/// A task that operations of the batch work on.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) progress: Progress,
    /// The epoch that the task must have for the batch to be written; `None` for a new one.
    pub(crate) epoch: Option<i32>,
    /// Whether it was read under its lock, so that the epoch is raised.
    pub(crate) loaded: bool,
    /// Whether it must be read: somebody has a claim that is not known here. A claim from the queue
    /// leaves the epoch as it is.
    pub(crate) doubtful: bool,
    pub(crate) before: TaskState,
    /// When the operation was that came last.
    pub(crate) at: Timestamp,
    pub(crate) ended: HashMap<(u32, u32), Ended>,
}

impl Touched {
    pub(crate) fn known(progress: Progress, epoch: i32) -> Self {
        let (before, ended) = (progress.state, HashMap::new());
        let (loaded, doubtful, at) = (false, false, Timestamp::UNIX_EPOCH);
        Self { progress, epoch: Some(epoch), loaded, doubtful, before, at, ended }
    }

    pub(crate) fn loaded(loaded: load::Loaded) -> Self {
        let (epoch, ended) = (Some(loaded.epoch), loaded.ended);
        Self { loaded: true, epoch, ended, ..Self::known(loaded.progress, loaded.epoch) }
    }

    pub(crate) fn created(progress: Progress, at: Timestamp) -> Self {
        Self { epoch: None, at, ..Self::known(progress, 0) }
    }

    /// Whether the claim holds, as far as is known here.
    pub(crate) fn holds(&mut self, claim: &Claim) -> bool {
        let holds = self.progress.holds(claim);
        self.doubtful |= !holds && !self.loaded;
        holds
    }

    pub(crate) fn new_epoch(&self) -> i32 {
        self.epoch.map_or(0, |epoch| epoch.wrapping_add(i32::from(self.loaded)))
    }

    pub(crate) fn write_down(&mut self, batch: &mut Batch) {
        let (task, template) = (self.progress.task, self.progress.template);
        if let Some(epoch) = self.epoch {
            batch.lock(task, if self.doubtful { NEVER } else { epoch });
            let changed = self.progress.state != self.before;
            if self.loaded || changed {
                batch.set_task(task, self.new_epoch(), self.progress.state, changed.then_some(self.at));
            }
        }
        // The same step may be listed twice; what it comes to is the same.
        let mut seen = HashSet::new();
        let written: Result<(), ()> = self.progress.write_down(|step, change| {
            if seen.insert(step) {
                match change {
                    Change::Row(row) => batch.step(task, template, step, row),
                    Change::NoRow => batch.no_step(task, step),
                }
            }
            Ok(())
        });
        debug_assert!(written.is_ok());
    }
}
