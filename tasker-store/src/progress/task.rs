//! The progress of one task: its nodes, its runs, and the effect of an operation on them.

use std::collections::{BTreeMap, BTreeSet};

use tasker_template::StepIndex;

use crate::action::ActionDetails;
use crate::attempt::AttemptRecord;
use crate::claim::{Claim, Claimed};
use crate::id::{TaskId, TemplateId};
use crate::key::StepKey;
use crate::progress::node::Node;
use crate::progress::run::{Change, RunProgress};
use crate::state::{StepState, TaskState};

/// The state of one task with its nodes and runs.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The task.
    pub task: TaskId,
    /// The snapshot that it runs by.
    pub template: TemplateId,
    /// The task's state.
    pub state: TaskState,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// The counters of nodes that need some.
    pub(super) nodes: BTreeMap<StepIndex, Node>,
    /// Nodes that are done or skipped.
    pub(super) done: BTreeSet<StepIndex>,
    /// Runs that are not done, and have been reached or have a row.
    pub(super) runs: BTreeMap<StepKey, RunProgress>,
    /// Done runs of nodes with several runs.
    pub(super) done_runs: BTreeSet<StepKey>,
    /// Done runs that have no result, because an operator resolved them.
    pub(super) resolved: BTreeSet<StepKey>,
    /// How many sinks are not done; `None` until that has been counted.
    pub(super) sinks_left: Option<u32>,
    /// How many runs are moving: ready, in progress, waiting for a retry, or suspended.
    pub(super) moving: usize,
    /// How many runs are in progress.
    pub(super) claimed: usize,
    /// Runs with changes that have not been written down.
    pub(super) changed: BTreeSet<StepKey>,
}

/// The effect of an operation on a task.
#[derive(Debug, Default)]
pub struct Moved {
    /// What was claimed in passing.
    pub claimed: Claimed,
    /// The state that the task has come into, if it has changed.
    pub state: Option<TaskState>,
    /// Claims that the operation has revoked.
    pub revoked: Vec<Claim>,
    /// Attempts to record besides the one that was finished: those that an operator made or ended, and
    /// attempt 0 of steps that were done without one.
    pub records: Vec<AttemptRecord>,
    /// The record that takes the place of the one that was kept when an operator resolved its run.
    pub replaced: Option<Box<AttemptRecord>>,
    /// Details to record with an operator's action.
    pub details: ActionDetails,
}

impl Moved {
    /// The steps that were claimed in passing and have no rows: the record of the operation lists them.
    #[must_use]
    pub fn listed(&self) -> Vec<StepIndex> {
        let keys = self.claimed.claims.iter().map(|claim| claim.key);
        keys.filter(|key| key.is_only()).map(|key| key.step).collect()
    }
}

impl Progress {
    /// A task of which nothing has been reached.
    #[must_use]
    pub fn new(task: TaskId, template: TemplateId, priority: i32) -> Self {
        Self {
            task,
            template,
            state: TaskState::InProgress,
            priority,
            nodes: BTreeMap::new(),
            done: BTreeSet::new(),
            runs: BTreeMap::new(),
            done_runs: BTreeSet::new(),
            resolved: BTreeSet::new(),
            sinks_left: None,
            moving: 0,
            claimed: 0,
            changed: BTreeSet::new(),
        }
    }

    /// Whether a run of the task is claimed.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claimed > 0
    }

    /// The runs that are not done, and have been reached or have a row.
    pub fn runs(&self) -> impl Iterator<Item = (StepKey, &RunProgress)> {
        self.runs.iter().map(|(key, run)| (*key, run))
    }

    /// The claims that hold.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        self.runs.values().filter_map(|run| run.claim)
    }

    /// Whether a claim holds.
    #[must_use]
    pub fn holds(&self, claim: &Claim) -> bool {
        self.runs.get(&claim.key).is_some_and(|run| run.claim == Some(*claim))
    }

    /// Passes the changes since the last call to `write`: each run once, in the order of the keys.
    ///
    /// # Errors
    ///
    /// The error of `write`. The changes after it are forgotten, so that the task must be read again.
    pub fn write_down<E>(
        &mut self,
        mut write: impl FnMut(StepKey, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for key in std::mem::take(&mut self.changed) {
            match self.runs.get_mut(&key) {
                Some(run) if run.needs_row() => {
                    write(key, Change::Row(run))?;
                    (run.has_row, run.input) = (true, None);
                }
                Some(run) if !run.has_row => {}
                // The run is claimed in passing: the record of the operation takes the place of its row.
                Some(run) => {
                    run.has_row = false;
                    write(key, Change::NoRow)?;
                }
                // A run that was removed is marked as changed only if it had a row.
                None => write(key, Change::NoRow)?,
            }
        }
        Ok(())
    }

    /// The state of a run.
    pub(super) fn state_of(&self, key: StepKey) -> StepState {
        match self.runs.get(&key) {
            Some(run) => run.state,
            None if self.done.contains(&key.step) || self.done_runs.contains(&key) => StepState::Complete,
            None => StepState::Pending,
        }
    }

    /// Updates the task's state: blocked when none of its runs is moving, in progress when one is.
    pub(super) fn settle(&mut self, moved: &mut Moved) {
        let state = match self.state {
            TaskState::Complete => return,
            _ if self.moving > 0 => TaskState::InProgress,
            _ => TaskState::BlockedByFailures,
        };
        if state != self.state {
            self.state = state;
            moved.state = Some(state);
        }
    }
}
