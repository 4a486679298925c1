//! Writes the heartbeats of this process's workers, again and again.

use std::sync::Arc;

use deadpool_postgres::Pool;
use tasker_store::twin;

use crate::own_workers::OwnWorkers;
use crate::settings::ConnectionSettings;
use crate::workers;

/// Heartbeats within a lease: several may be lost before the lease runs out.
const BEATS_PER_LEASE: u32 = 4;

/// Runs until it is aborted.
pub(crate) async fn run(pool: Pool, settings: Arc<ConnectionSettings>, own: OwnWorkers) {
    let schema = settings.quoted_schema();
    loop {
        tokio::time::sleep(settings.lease / BEATS_PER_LEASE).await;
        let heartbeats = own.heartbeats();
        if heartbeats.is_empty() || twin::is("no-heartbeat") {
            continue;
        }
        let beaten = match pool.get().await {
            Ok(connection) => workers::beat(&**connection, &schema, &heartbeats, settings.lease)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = beaten {
            tracing::warn!(
                error,
                "a heartbeat failed; when the lease runs out, others take over this process's claims"
            );
        }
    }
}
