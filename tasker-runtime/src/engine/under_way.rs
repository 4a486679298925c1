//! Attempts under way here, so that one whose claim is lost can be told to end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tasker_store::Claim;
use tokio_util::sync::CancellationToken;

/// Attempts under way here.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashMap<Claim, CancellationToken>>);

impl UnderWay {
    /// An attempt begins; `lost` is cancelled when its claim no longer holds.
    pub(crate) fn begin(&self, claim: Claim, lost: CancellationToken) {
        self.lock().insert(claim, lost);
    }

    pub(crate) fn end(&self, claim: &Claim) {
        self.lock().remove(claim);
    }

    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.lock().keys().copied().collect()
    }

    /// These claims no longer hold.
    pub(crate) fn lose(&self, claims: &[Claim]) {
        let under_way = self.lock();
        claims.iter().filter_map(|claim| under_way.get(claim)).for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Claim, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
