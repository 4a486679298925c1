//! Tasks that were there before this worker, and of which it has claimed steps: what an earlier run left, also when
//! it has ended by the time somebody asks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tasker_store::{Claimed, TaskId};

/// So many tasks are remembered, those that were claimed first: who asks does so soon after the start.
const MOST: usize = 1_000;

#[derive(Debug)]
pub(crate) struct EarlierTasks {
    /// When this worker began.
    begun: Timestamp,
    /// The tasks that it claimed first, later ones included.
    claimed: Mutex<BTreeSet<TaskId>>,
}

impl EarlierTasks {
    pub(super) fn new(begun: Timestamp) -> Self {
        Self { begun, claimed: Mutex::default() }
    }

    /// Notes claims, before the attempts begin: a task that has ended here has been noted.
    pub(super) fn note(&self, claimed: &Claimed) {
        let mut tasks = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        for claim in &claimed.claims {
            if tasks.len() < MOST {
                tasks.insert(claim.task);
            }
        }
    }

    /// The tasks that may be such.
    pub(crate) fn candidates(&self) -> Vec<TaskId> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whether a task that was created at this time was there before.
    pub(crate) fn is_earlier(&self, created_at: Timestamp) -> bool {
        created_at < self.begun
    }
}
