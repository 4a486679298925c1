//! The claims that somebody in this process was told of.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_store::{Claim, WorkerId};

/// Shared by the writer, which keeps it, and by whoever tells how much a worker has under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    claims: Mutex<HashSet<Claim>>,
    /// Whether the database may ever have done something that nobody was told of.
    was_untold: AtomicBool,
}

impl Held {
    pub(crate) fn extend(&self, claims: impl IntoIterator<Item = Claim>) {
        self.lock().extend(claims);
    }

    pub(crate) fn remove(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    pub(crate) fn contains(&self, claim: &Claim) -> bool {
        self.lock().contains(claim)
    }

    /// How many of them are a worker's.
    pub(crate) fn of(&self, worker: WorkerId) -> usize {
        self.lock().iter().filter(|claim| claim.worker == worker).count()
    }

    /// An answer of the database was lost.
    pub(crate) fn set_untold(&self) {
        self.0.was_untold.store(true, Ordering::SeqCst);
    }

    /// Whether an answer of the database was ever lost: a statement that is still on its way may claim
    /// something long after.
    pub(crate) fn was_untold(&self) -> bool {
        self.0.was_untold.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
