//! Hands back orphaned claims of this process: those that a statement has made in the name of its workers
//! and that no answer has named, because the connection was lost before it arrived.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::{Claim, StoreClock, WorkerId};
use tokio::sync::oneshot;

use crate::answered::answered;
use crate::connection::Connection;
use crate::database_clock;
use crate::error::PgError;
use crate::operation::Operation;
use crate::session::Session;
use crate::worker_claims::claims_of;

/// How long to wait for the write barrier.
const BARRIER_TIMEOUT: Duration = Duration::from_millis(200);

/// Sweeps for orphaned claims if it is time, and schedules the next sweep. Whichever writer comes first
/// does this for the whole process.
pub(crate) async fn sweep_if_due(session: &mut Session) {
    let shared = Arc::clone(&session.shared);
    let Some(sweep) = shared.sweep_schedule().take_if(|sweep| sweep.is_due()) else { return };
    let next = match hand_back_orphans(session).await {
        Ok(true) => sweep.next(),
        // The statement of another writer may be waiting for a lock.
        Ok(false) => Some(sweep.postponed()),
        Err(error) => {
            if session.is_lost(&error) {
                // The writer makes another connection, and its sweep is due at once.
                session.set_in_doubt(&[]);
                return;
            }
            tracing::warn!(?error, "orphaned claims could not be looked for; trying again");
            Some(sweep.postponed())
        }
    };
    if let Some(next) = next {
        // Another connection may have been lost in the meantime, which has begun a schedule of its own.
        shared.sweep_schedule().get_or_insert(next);
    }
}

/// Hands back the orphaned claims. `false` when other writers were busy for too long.
async fn hand_back_orphans(session: &mut Session) -> Result<bool, PgError> {
    let shared = Arc::clone(&session.shared);
    let workers: Vec<WorkerId> = shared.alive_workers().into_iter().collect();
    let Connection { client, schema, .. } = &session.connection;
    let mut orphans = answered(shared.write_timeout, claims_of(client, schema, &workers)).await?;
    let is_unknown = |claim: &Claim| !shared.known_claims.contains(claim);
    orphans.retain(is_unknown);
    if orphans.is_empty() {
        return Ok(true);
    }
    let clock = StoreClock::default();
    database_clock::measure(&clock, client).await;
    let now = clock.now().unwrap_or_else(Timestamp::now);
    // Some of them may have been made by another writer whose answer is on its way. Behind the barrier
    // every answer has arrived. A claim that has ended in the meantime is passed over.
    let barrier = tokio::time::timeout(BARRIER_TIMEOUT, shared.write_barrier.write()).await;
    let Ok(_barrier) = barrier else { return Ok(false) };
    orphans.retain(is_unknown);
    if orphans.is_empty() {
        return Ok(true);
    }
    let (answer, _) = oneshot::channel();
    let mut operations = vec![Operation::Release(orphans, None, now, answer)];
    while !operations.is_empty() {
        operations = session.perform_behind_barrier(operations).await.map_err(|(_, error)| error)?;
    }
    Ok(true)
}
