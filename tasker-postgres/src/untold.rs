//! What is claimed in the name of this process, and nobody here was told of: the answer did not arrive.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::{Claim, WorkerId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::operation::Operation;
use crate::session::{Session, Trouble};
use crate::workers;

/// When to look for claims that nobody was told of, after a connection was lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    since: Instant,
    after: Duration,
}

impl Sweep {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), after: Duration::ZERO }
    }

    fn is_due(&self) -> bool {
        self.since.elapsed() >= self.after
    }
}

/// How long after a connection was lost its last statement may still be done.
const LAST_SWEEP: Duration = Duration::from_secs(64);

/// How long to wait for other writers to be quiet.
const QUIET: Duration = Duration::from_millis(200);

/// When to look again after that was not to be.
const BUSY: Duration = Duration::from_secs(1);

impl Session {
    /// Looks for what is claimed without anybody here having been told, and looks again after a while,
    /// for as long as a statement of a lost connection may still be under way. Whichever writer is at
    /// work when it is time does this for all.
    pub(crate) async fn sweep(&mut self) {
        let shared = Arc::clone(&self.shared);
        let next = || shared.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sweep) = next().take_if(|sweep| sweep.is_due()) else { return };
        let after = match self.hand_back_untold(Timestamp::now()).await {
            Ok(true) if sweep.after >= LAST_SWEEP => return,
            Ok(true) => (sweep.after * 2).clamp(Duration::from_millis(500), LAST_SWEEP),
            // Another writer's statement may have to wait for a lock: we look when there is time again.
            Ok(false) => sweep.since.elapsed() + BUSY,
            Err(trouble) => {
                tracing::warn!(?trouble, "claims could not be looked for; trying again");
                sweep.since.elapsed() + BUSY
            }
        };
        // Another connection may have been lost in the meantime.
        next().get_or_insert(Sweep { after, ..sweep });
    }

    /// Hands back what is claimed in the name of workers of this process and nobody here was told of:
    /// the answer did not arrive. `false` when other writers were too busy.
    async fn hand_back_untold(&mut self, now: Timestamp) -> Result<bool, Trouble> {
        let workers: Vec<WorkerId> =
            self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let Connection { client, schema, .. } = &self.connection;
        let mut untold = workers::claims_of(client, schema, &workers).await?;
        let shared = Arc::clone(&self.shared);
        let is_untold = |claim: &Claim| !shared.held.contains(claim);
        untold.retain(is_untold);
        if untold.is_empty() {
            return Ok(true);
        }
        // Some of them may be what another writer is just being told of. What has ended since then does
        // not hold any more, and is passed over.
        let Ok(_quiet) = tokio::time::timeout(QUIET, shared.quiet.write()).await else { return Ok(false) };
        untold.retain(is_untold);
        if untold.is_empty() {
            return Ok(true);
        }
        let (answer, _) = oneshot::channel();
        let mut operations = vec![Operation::Release(untold, None, now, answer)];
        while !operations.is_empty() {
            operations = self.perform_anyway(operations).await.map_err(|(_, trouble)| trouble)?;
        }
        Ok(true)
    }
}
