//! The claims that somebody in this process knows of: those that an answer of the store has named.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_store::{Claim, WorkerId};

/// Shared by the writers, which keep it, and by the heartbeat, which reports how many a worker has.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownClaims(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    claims: Mutex<HashSet<Claim>>,
    /// Whether an operation has ever been in doubt.
    was_in_doubt: AtomicBool,
}

impl KnownClaims {
    pub(crate) fn extend(&self, claims: impl IntoIterator<Item = Claim>) {
        self.lock().extend(claims);
    }

    pub(crate) fn remove(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    pub(crate) fn contains(&self, claim: &Claim) -> bool {
        self.lock().contains(claim)
    }

    /// How many claims a worker has.
    pub(crate) fn count(&self, worker: WorkerId) -> usize {
        self.lock().iter().filter(|claim| claim.worker == worker).count()
    }

    /// A connection was lost with operations whose answers have not arrived.
    pub(crate) fn set_in_doubt(&self) {
        self.0.was_in_doubt.store(true, Ordering::SeqCst);
    }

    /// Whether operations have ever been in doubt: a statement that waits for a lock outlives its
    /// connection, and may make claims long after that was lost.
    pub(crate) fn was_in_doubt(&self) -> bool {
        self.0.was_in_doubt.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
