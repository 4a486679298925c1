//! Writes the tasks of one shard. All operations that wait when the writer is free share a statement, with
//! one round trip and one commit; a single operation waits for no others.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tasker_store::{StoreError, chain};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;
use crate::error::{PgError, PgResult, is_transient};
use crate::operation::Operation;
use crate::orphan_sweep::sweep_if_due;
use crate::session::Session;
use crate::settings::ConnectionSettings;

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
    let mut writer = Writer { settings, tried_at: Instant::now() };
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
    /// When it last tried to connect while it had nothing to write.
    tried_at: Instant,
}

impl Writer {
    /// Waits for operations, and returns how many came; `None` when all senders are dropped. Meanwhile a
    /// writer that has lost its connection tries to connect: until then no writer claims from the queue.
    async fn next(
        &mut self,
        session: &mut Session,
        waiting: &mut mpsc::Receiver<Operation>,
        batch: &mut Vec<Operation>,
    ) -> Option<usize> {
        if !session.is_disconnected() {
            return Some(waiting.recv_many(batch, BATCH).await).filter(|count| *count > 0);
        }
        let try_at = self.tried_at + PAUSES.1;
        // Also when operations come all the time: some of them ask the server for nothing.
        let is_time = Instant::now() >= try_at;
        let count =
            if is_time { None } else { timeout_at(try_at, waiting.recv_many(batch, BATCH)).await.ok() };
        match count {
            Some(count) => Some(count).filter(|count| *count > 0),
            None => {
                self.tried_at = Instant::now();
                if let Ok(connection) = Connection::open(&self.settings).await {
                    session.reconnected(connection);
                    session.shared.unanswered(session.shard).answered();
                }
                Some(0)
            }
        }
    }

    async fn write(&self, session: &mut Session, mut batch: Vec<Operation>) {
        let begun = Instant::now();
        let mut pause = PAUSES.0;
        while !batch.is_empty() {
            match session.perform(batch).await {
                Ok(again) => batch = again,
                Err((operations, PgError::Store(error))) => {
                    batch = self.one_by_one(session, operations, error).await;
                }
                Err((operations, error)) => {
                    let is_over = begun.elapsed() > RECONNECT_TIMEOUT;
                    batch = operations;
                    if session.is_lost(&error) {
                        let was_lost_before = pause > PAUSES.0;
                        session.set_in_doubt(&batch);
                        let mut failed = Err(error);
                        if !was_lost_before || !is_over {
                            if was_lost_before {
                                // Another connection was no better than the one before.
                                tokio::time::sleep(pause).await;
                            }
                            failed = self.reconnect(session, begun, &mut pause).await;
                        }
                        if let Err(error) = failed {
                            session.shared.unanswered(session.shard).give_up();
                            self.refuse(batch, error);
                            return;
                        }
                    } else if !is_transient(&error) {
                        session.shared.unanswered(session.shard).give_up();
                        let error = error.into_store_error(&self.settings.describe());
                        batch = self.one_by_one(session, batch, error).await;
                    } else if is_over {
                        self.refuse(batch, error);
                        return;
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

    /// Refuses operations that could not be done; they may be asked for again.
    fn refuse(&self, operations: Vec<Operation>, error: PgError) {
        let what = self.settings.describe();
        let is_network = matches!(&error, PgError::Database(error) if error.as_db_error().is_none());
        let error = error.into_store_error(&what);
        let reason = error.source().map_or_else(|| error.to_string(), chain);
        let reason = if is_network { format!("it cannot be reached: {reason}") } else { reason };
        tracing::error!(
            store = what,
            reason,
            operations = operations.len(),
            "nothing can be written at present"
        );
        for operation in operations {
            let (what, source) = (what.clone(), reason.clone().into());
            operation.refuse(StoreError::Database { what, source });
        }
    }

    /// Connects again, as often as it takes in the time that is left of what began at `begun`. `pause` is how
    /// long to wait before the next attempt, which grows with each.
    async fn reconnect(&self, session: &mut Session, begun: Instant, pause: &mut Duration) -> PgResult<()> {
        loop {
            let connected = Connection::open(&self.settings).await;
            let is_over = begun.elapsed() + *pause > RECONNECT_TIMEOUT;
            let waited = std::mem::replace(pause, (*pause * 2).min(PAUSES.1));
            match connected {
                Ok(connection) => {
                    session.reconnected(connection);
                    return Ok(());
                }
                Err(error) if is_over => return Err(error),
                Err(_) => tokio::time::sleep(waited).await,
            }
        }
    }
}
