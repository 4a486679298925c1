//! The attempts that run in this worker, so that one whose claim is revoked can be told to end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tasker_store::Claim;
use tokio_util::sync::CancellationToken;

/// The attempts that run in this worker, by their claims.
#[derive(Debug, Default)]
pub(super) struct ActiveAttempts(Mutex<HashMap<Claim, CancellationToken>>);

impl ActiveAttempts {
    /// An attempt begins. `revoked` is cancelled when its claim is revoked.
    pub(super) fn begin(&self, claim: Claim, revoked: CancellationToken) {
        self.lock().insert(claim, revoked);
    }

    /// An attempt has ended.
    pub(super) fn end(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    /// The claims of all attempts that run.
    pub(super) fn claims(&self) -> Vec<Claim> {
        self.lock().keys().copied().collect()
    }

    /// Tells those of these attempts that run here that their claims have been revoked.
    pub(super) fn revoke(&self, claims: &[Claim]) {
        let attempts = self.lock();
        claims.iter().filter_map(|claim| attempts.get(claim)).for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Claim, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
