//! The queues of runs that no worker has claimed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::id::{IdMap, TaskId};
use crate::json::Json;
use crate::key::StepKey;
use crate::progress::{Change, Progress};

/// The queues of runs that no worker has claimed.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Runs that are due, in the order of their ranks.
    pub(super) ready: BTreeSet<(i64, TaskId, StepKey)>,
    /// Runs that are not due yet, by the time at which they will be.
    pub(super) waiting: BTreeSet<(Timestamp, TaskId, StepKey)>,
    /// The position of each run in one of the two.
    positions: IdMap<(TaskId, StepKey), Position>,
}

/// When a run becomes due (`None` when it is due), and its rank.
type Position = (Option<Timestamp>, i64);

impl Queues {
    /// Applies the changes of a task's runs.
    pub(super) fn follow(&mut self, progress: &mut Progress, inputs: &mut IdMap<StepKey, Json>) {
        let task = progress.task;
        let followed = progress.write_down(|key, change| {
            self.remove(task, key);
            match change {
                Change::Row(row) => {
                    inputs.extend(row.input.clone().map(|input| (key, input)));
                    if let Some(rank) = row.rank {
                        self.insert(task, key, (row.due_at, rank));
                    }
                }
                Change::NoRow => drop(inputs.remove(&key)),
            }
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(()) = followed;
    }

    fn insert(&mut self, task: TaskId, key: StepKey, position: Position) {
        match position {
            (Some(due_at), _) => self.waiting.insert((due_at, task, key)),
            (None, rank) => self.ready.insert((rank, task, key)),
        };
        self.positions.insert((task, key), position);
    }

    pub(super) fn remove(&mut self, task: TaskId, key: StepKey) {
        match self.positions.remove(&(task, key)) {
            Some((Some(due_at), _)) => self.waiting.remove(&(due_at, task, key)),
            Some((None, rank)) => self.ready.remove(&(rank, task, key)),
            None => return,
        };
    }

    /// Moves the runs that have become due to the ready ones. Returns them.
    pub(super) fn promote(&mut self, now: Timestamp) -> Vec<(TaskId, StepKey)> {
        let mut promoted = Vec::new();
        while let Some(&(due_at, task, key)) = self.waiting.first().filter(|first| first.0 <= now) {
            let position = self.positions.get(&(task, key));
            let rank = position.map_or(due_at.as_microsecond(), |position| position.1);
            self.remove(task, key);
            self.insert(task, key, (None, rank));
            promoted.push((task, key));
        }
        promoted
    }
}
