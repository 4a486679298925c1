//! The progress of one task: its nodes and runs, and what an operation comes to.

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

/// Where the nodes and runs of one task are.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The task.
    pub task: TaskId,
    /// The snapshot that it runs by.
    pub template: TemplateId,
    /// Where the task is.
    pub state: TaskState,
    /// Its place among others.
    pub priority: i32,
    /// Nodes that count what they wait for, or their runs; the others are implied.
    pub(super) nodes: BTreeMap<StepIndex, Node>,
    /// Nodes that are done or skipped.
    pub(super) done: BTreeSet<StepIndex>,
    /// Runs that are neither done nor implied.
    pub(super) runs: BTreeMap<StepKey, RunProgress>,
    /// Of nodes with several runs: those that are done.
    pub(super) done_runs: BTreeSet<StepKey>,
    /// How many sinks are not done, once that has been counted.
    pub(super) sinks_left: Option<u32>,
    /// How many runs are moving: ready, in progress, waiting for a retry, or suspended.
    pub(super) moving: usize,
    /// How many runs are in progress.
    pub(super) claimed: usize,
    /// Runs that have changed and are not written down.
    pub(super) changed: BTreeSet<StepKey>,
}

/// What an operation came to.
#[derive(Debug, Default)]
pub struct Moved {
    /// What was claimed in passing.
    pub claimed: Claimed,
    /// The state that the task has come into, if it has changed.
    pub state: Option<TaskState>,
    /// Claims that no longer hold.
    pub revoked: Vec<Claim>,
    /// Attempts to record, besides the one that was ended: what an operator made or ended, and what
    /// followed without an attempt.
    pub records: Vec<AttemptRecord>,
    /// What is to be recorded with an action.
    pub details: ActionDetails,
}

impl Moved {
    /// The steps that were claimed in passing and have no rows: they are listed with what made them ready.
    #[must_use]
    pub fn listed(&self) -> Vec<StepIndex> {
        let keys = self.claimed.claims.iter().map(|claim| claim.key);
        keys.filter(|key| key.is_only()).map(|key| key.step).collect()
    }
}

impl Progress {
    /// A task in which nothing has begun.
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
            sinks_left: None,
            moving: 0,
            claimed: 0,
            changed: BTreeSet::new(),
        }
    }

    /// Whether a worker has claimed something.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claimed > 0
    }

    /// The runs that are neither done nor implied.
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

    /// What is to be written down since this was last asked: each run once, in the order of the keys.
    ///
    /// # Errors
    ///
    /// What `write` says; what comes after it is lost, and so the task is to be read again.
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
                // One that is done had a row only if it was marked as changed with one.
                Some(run) => {
                    run.has_row = false;
                    write(key, Change::NoRow)?;
                }
                None => write(key, Change::NoRow)?,
            }
        }
        Ok(())
    }

    /// Where a run is.
    pub(super) fn state_of(&self, key: StepKey) -> StepState {
        match self.runs.get(&key) {
            Some(run) => run.state,
            None if self.done.contains(&key.step) || self.done_runs.contains(&key) => StepState::Complete,
            None => StepState::Pending,
        }
    }

    /// What the task comes to when nothing of it moves, or something does again.
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
