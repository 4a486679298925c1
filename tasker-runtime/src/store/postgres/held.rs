//! The claims that somebody in this process was told of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::WorkerId;
use crate::store::Claim;

/// Shared by the writer, which keeps it, and by whoever tells how much a worker has under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<Claim>>>);

impl Held {
    pub(super) fn extend(&self, claims: impl IntoIterator<Item = Claim>) {
        self.lock().extend(claims);
    }

    pub(super) fn remove(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    pub(super) fn contains(&self, claim: &Claim) -> bool {
        self.lock().contains(claim)
    }

    /// How many of them are a worker's.
    pub(super) fn of(&self, worker: WorkerId) -> usize {
        self.lock().iter().filter(|claim| claim.worker == worker).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
