//! Where workers find runs that nobody has claimed.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::id::TaskId;
use crate::json::Json;
use crate::key::StepKey;
use crate::progress::{Change, Progress};

/// Where workers find runs that nobody has claimed.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Those that can run, in their order.
    pub(super) ready: BTreeSet<(i64, TaskId, StepKey)>,
    /// Those that are not due, by when they are.
    pub(super) waiting: BTreeSet<(Timestamp, TaskId, StepKey)>,
    /// Where each of them is.
    places: HashMap<(TaskId, StepKey), Place>,
}

/// When it becomes due, while it is not, and its rank.
type Place = (Option<Timestamp>, i64);

impl Queues {
    /// Takes note of what has changed in a task.
    pub(super) fn follow(&mut self, progress: &mut Progress, inputs: &mut HashMap<StepKey, Json>) {
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

    fn insert(&mut self, task: TaskId, key: StepKey, place: Place) {
        match place {
            (Some(due_at), _) => self.waiting.insert((due_at, task, key)),
            (None, rank) => self.ready.insert((rank, task, key)),
        };
        self.places.insert((task, key), place);
    }

    pub(super) fn remove(&mut self, task: TaskId, key: StepKey) {
        match self.places.remove(&(task, key)) {
            Some((Some(due_at), _)) => self.waiting.remove(&(due_at, task, key)),
            Some((None, rank)) => self.ready.remove(&(rank, task, key)),
            None => return,
        };
    }

    /// What was waiting and has become due can run: those steps.
    pub(super) fn promote(&mut self, now: Timestamp) -> Vec<(TaskId, StepKey)> {
        let mut promoted = Vec::new();
        while let Some(&(due_at, task, key)) = self.waiting.first().filter(|first| first.0 <= now) {
            let rank = self.places.get(&(task, key)).map_or(due_at.as_microsecond(), |place| place.1);
            self.remove(task, key);
            self.insert(task, key, (None, rank));
            promoted.push((task, key));
        }
        promoted
    }
}
