//! The connection that says that this process's workers are alive: it writes their heartbeats, and hears the
//! notices of other processes. It belongs to nothing else, so that nothing else delays a heartbeat.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tasker_store::{chain, twin};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::answered::answered;
use crate::database_clock;
use crate::error::{PgError, PgResult, is_connection_lost};
use crate::notices;
use crate::own_workers::OwnWorkers;
use crate::settings::ConnectionSettings;
use crate::shared::Shared;
use crate::workers;

/// Heartbeats within a lease: several may be lost before the lease runs out.
const BEATS_PER_LEASE: u32 = 4;
/// The longest pause before another connection is made.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Sends the heartbeats of this process's workers.
pub(crate) struct Heartbeats {
    settings: Arc<ConnectionSettings>,
    schema: String,
    own: OwnWorkers,
    shared: Arc<Shared>,
    /// Is notified of each notice.
    notified: Arc<Notify>,
    /// The runtime that the writers and the handlers run on.
    application: Handle,
}

impl Heartbeats {
    /// To be called on the application's runtime.
    pub(crate) fn new(
        settings: Arc<ConnectionSettings>,
        own: OwnWorkers,
        shared: Arc<Shared>,
        notified: Arc<Notify>,
    ) -> Self {
        let (schema, application) = (settings.quoted_schema(), Handle::current());
        Self { settings, schema, own, shared, notified, application }
    }

    /// What people call the store.
    pub(crate) fn store(&self) -> String {
        self.settings.describe()
    }

    /// Sends heartbeats for as long as the application's runtime is there: nothing else runs what the workers
    /// have claimed.
    pub(crate) async fn run(self) {
        // A runtime that ends drops what it has not run.
        let mut application = JoinSet::new();
        application.spawn_on(std::future::pending::<()>(), &self.application);
        tokio::select! {
            () = self.connect_and_send() => {}
            _ = application.join_next() => {}
        }
    }

    async fn connect_and_send(&self) {
        let interval = self.settings.lease / BEATS_PER_LEASE;
        loop {
            while !self.settings.listen && self.own.is_empty() {
                tokio::time::sleep(interval).await;
            }
            let connected = self.settings.connector.connect(&self.settings.config);
            match answered(self.settings.lease, connected).await {
                Err(error) => self.warn(error),
                Ok((client, driver)) => {
                    tokio::select! {
                        // The server has closed the connection.
                        () = notices::hear(driver, &self.notified) => {}
                        lost = self.send(&client) => self.warn(lost),
                    }
                }
            }
            tokio::time::sleep(RECONNECT_PAUSE.min(interval / 2)).await;
        }
    }

    /// Writes heartbeats over this connection for as long as it is of use, and returns why it no longer is.
    async fn send(&self, client: &Client) -> PgError {
        let lease = self.settings.lease;
        let (mut is_listening, mut was_held_back) = (!self.settings.listen, false);
        loop {
            if !is_listening {
                match answered(lease, notices::listen(client, &self.settings)).await {
                    Ok(()) => {
                        is_listening = true;
                        // What was said before is lost: this process polls once.
                        self.notified.notify_one();
                    }
                    Err(error) if is_connection_lost(&error, client) => return error,
                    // It is asked for again, with the next heartbeat.
                    Err(error) => tracing::debug!(?error, "notices are not heard at present"),
                }
            }
            let is_held_back = self.is_held_back().await;
            if is_held_back && !was_held_back {
                tracing::warn!(
                    lease_seconds = lease.as_secs_f64(),
                    "no heartbeat is sent, for a writer has had no answer for longer than the lease; when that \
                     runs out, others take over this process's claims"
                );
            }
            was_held_back = is_held_back;
            if !is_held_back && let Err(error) = answered(lease / 2, self.beat(client)).await {
                if is_connection_lost(&error, client) {
                    return error;
                }
                self.warn(error);
            }
            tokio::time::sleep(lease / BEATS_PER_LEASE).await;
        }
    }

    /// Whether a worker that is here could not record what it has claimed.
    async fn is_held_back(&self) -> bool {
        // While a handler blocks the runtime, the writer's answer waits to be looked at.
        self.shared.has_unanswered_writer(self.settings.lease) && !self.is_runtime_blocked().await
    }

    /// Whether the application's runtime runs nothing at present.
    async fn is_runtime_blocked(&self) -> bool {
        let probe = self.application.spawn(std::future::ready(()));
        tokio::time::timeout(self.settings.lease / BEATS_PER_LEASE / 2, probe).await.is_err()
    }

    async fn beat(&self, client: &Client) -> PgResult<()> {
        let heartbeats = self.own.heartbeats();
        if heartbeats.is_empty() {
            // A connection that passes nothing on is noticed all the same.
            database_clock::measure(&self.own.clock, client).await;
            return Ok(());
        }
        if twin::is("no-heartbeat") {
            return Ok(());
        }
        Ok(workers::beat(client, &self.schema, &heartbeats, self.settings.lease).await?)
    }

    fn warn(&self, error: PgError) {
        let error = error.into_store_error(&self.settings.describe());
        if self.own.is_empty() {
            tracing::debug!(error = %chain(&error), "notices are not heard at present; polling takes their place");
        } else {
            tracing::warn!(
                error = %chain(&error),
                "a heartbeat failed; when the lease runs out, others take over this process's claims"
            );
        }
    }
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeats").field("of", &self.own).finish_non_exhaustive()
    }
}
