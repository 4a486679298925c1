//! Writes the tasks of one shard. All operations that wait when the writer is free share a statement, with
//! one round trip and one commit; a single operation waits for no others.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::{PgError, is_connection_lost, is_transient, store_error};
use crate::operation::Operation;
use crate::orphan_sweep::sweep_if_due;
use crate::session::Session;
use crate::settings::ConnectionSettings;
use crate::tls;

/// Operations that may wait in a writer's queue. Callers beyond that wait for a place.
pub(crate) const QUEUE: usize = 4_096;
/// The most operations that share a statement.
const BATCH: usize = 1_024;
/// How long operations wait for a database that cannot be reached, before they fail.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The first and the longest pause between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Writes until all senders of operations are dropped and none waits.
pub(crate) async fn write_until_closed(
    mut session: Session,
    mut waiting: mpsc::Receiver<Operation>,
    settings: Arc<ConnectionSettings>,
) {
    let mut batch = Vec::new();
    let writer = Writer { settings };
    while let Some(count) = writer.next(&mut session, &mut waiting, &mut batch).await {
        if count == 0 {
            continue;
        }
        // Tasks that are ready to run may be about to send more: those operations join the batch.
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(operation) = waiting.try_recv()
        {
            batch.push(operation);
        }
        // Statements of the application's own may fail, and then their transaction is rolled back.
        let (alone, together): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|operation| !operation.own_writes().is_empty());
        writer.write(&mut session, together).await;
        for operation in alone {
            writer.write(&mut session, vec![operation]).await;
        }
    }
}

struct Writer {
    settings: Arc<ConnectionSettings>,
}

impl Writer {
    /// Waits for operations, and returns how many came; `None` when all senders are dropped. Meanwhile a
    /// writer that has lost its connection tries to connect, since no writer claims from the queue until then.
    async fn next(
        &self,
        session: &mut Session,
        waiting: &mut mpsc::Receiver<Operation>,
        batch: &mut Vec<Operation>,
    ) -> Option<usize> {
        if !session.is_disconnected() {
            return Some(waiting.recv_many(batch, BATCH).await).filter(|count| *count > 0);
        }
        match tokio::time::timeout(PAUSES.1, waiting.recv_many(batch, BATCH)).await {
            Ok(count) => Some(count).filter(|count| *count > 0),
            Err(_) => {
                if let Ok(connection) = Connection::open(&self.settings).await {
                    session.reconnected(connection);
                }
                Some(0)
            }
        }
    }

    async fn write(&self, session: &mut Session, mut batch: Vec<Operation>) {
        let begun = Instant::now();
        while !batch.is_empty() {
            match session.perform(batch).await {
                Ok(again) => batch = again,
                Err((operations, PgError::Store(error))) => {
                    batch = self.one_by_one(session, operations, error).await;
                }
                Err((operations, PgError::Database(error))) => {
                    let is_lost = is_connection_lost(&error, &session.connection.client);
                    batch = operations;
                    if is_lost {
                        session.set_in_doubt(&batch);
                        let timeout = RECONNECT_TIMEOUT.saturating_sub(begun.elapsed());
                        if !self.reconnect(session, timeout).await {
                            let what = self.settings.describe();
                            let reason = format!("it cannot be reached: {error}");
                            for operation in batch {
                                let source = reason.clone().into();
                                operation.refuse(StoreError::Database { what: what.clone(), source });
                            }
                            return;
                        }
                    } else if !is_transient(&error) {
                        let error = store_error(error, &self.settings.describe());
                        batch = self.one_by_one(session, batch, error).await;
                    }
                }
            }
        }
        // After the answers, so that the claims that they name are known.
        sweep_if_due(session).await;
    }

    /// Does each operation in a batch of its own, after one of them has made their common batch fail.
    async fn one_by_one(
        &self,
        session: &mut Session,
        operations: Vec<Operation>,
        error: StoreError,
    ) -> Vec<Operation> {
        match <[_; 1]>::try_from(operations) {
            Ok([operation]) => operation.refuse(error),
            Err(operations) => {
                for operation in operations {
                    Box::pin(self.write(session, vec![operation])).await;
                }
            }
        }
        Vec::new()
    }

    /// Connects again. `false` when that did not succeed in time.
    async fn reconnect(&self, session: &mut Session, timeout: Duration) -> bool {
        let mut pause = PAUSES.0;
        let begun = Instant::now();
        loop {
            match Connection::open(&self.settings).await {
                Ok(connection) => {
                    session.reconnected(connection);
                    return true;
                }
                Err(error) if begun.elapsed() + pause > timeout => {
                    let error = tls::explain(&error).unwrap_or_else(|| error.to_string());
                    tracing::error!(error, "PostgreSQL cannot be reached");
                    return false;
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }
}
