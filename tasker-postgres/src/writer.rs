//! The one task that writes. Whatever waits when it is free becomes one statement: one round trip and
//! one commit for all of them, and no delay when there is only one.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::operation::Operation;
use crate::session::{Session, Trouble};
use crate::settings::Settings;
use crate::tls;
use crate::values::{failed, is_broken, is_passing};

/// Callers beyond this many wait before they may queue.
pub(crate) const QUEUE: usize = 4_096;
/// At most this many operations share a statement.
const BATCH: usize = 1_024;
/// How long operations wait for a database that is away, before they are told.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first and the longest pause between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Writes until nobody can ask any more.
pub(crate) async fn write_until_closed(
    mut session: Session,
    mut waiting: mpsc::Receiver<Operation>,
    settings: Arc<Settings>,
) {
    let mut batch = Vec::new();
    let writer = Writer { settings };
    while let Some(count) = writer.next(&mut session, &mut waiting, &mut batch).await {
        if count == 0 {
            continue;
        }
        // What is about to be asked for by others that run already comes along.
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(operation) = waiting.try_recv()
        {
            batch.push(operation);
        }
        // Statements of the application's own may fail, and take their transaction with them.
        let (alone, together): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|operation| !operation.own_writes().is_empty());
        writer.write(&mut session, together).await;
        for operation in alone {
            writer.write(&mut session, vec![operation]).await;
        }
    }
}

struct Writer {
    settings: Arc<Settings>,
}

impl Writer {
    /// Waits for operations: how many. `None` when nobody can ask any more. A writer whose connection
    /// was lost tries to get another meanwhile, for the others claim nothing until it has.
    async fn next(
        &self,
        session: &mut Session,
        waiting: &mut mpsc::Receiver<Operation>,
        batch: &mut Vec<Operation>,
    ) -> Option<usize> {
        if !session.is_away() {
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
                Err((operations, Trouble::Store(error))) => {
                    batch = self.one_by_one(session, operations, error).await;
                }
                Err((operations, Trouble::Database(error))) => {
                    let broken = is_broken(&error, &session.connection.client);
                    batch = operations;
                    if broken {
                        session.doubt(&batch);
                        let patience = PATIENCE.saturating_sub(begun.elapsed());
                        if !self.reconnect(session, patience).await {
                            let what = self.settings.describe();
                            let reason = format!("it cannot be reached: {error}");
                            for operation in batch {
                                let source = reason.clone().into();
                                operation.refuse(StoreError::Database { what: what.clone(), source });
                            }
                            return;
                        }
                    } else if !is_passing(&error) {
                        let error = failed(error, &self.settings.describe());
                        batch = self.one_by_one(session, batch, error).await;
                    }
                }
            }
        }
        // Now that everybody who could be told has been.
        session.sweep().await;
    }

    /// Nothing of the batch was written, and one operation may be to blame: each gets its own try.
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

    /// Connects again; whether that succeeded in time.
    async fn reconnect(&self, session: &mut Session, patience: Duration) -> bool {
        let mut pause = PAUSES.0;
        let begun = Instant::now();
        loop {
            match Connection::open(&self.settings).await {
                Ok(connection) => {
                    session.reconnected(connection);
                    return true;
                }
                Err(error) if begun.elapsed() + pause > patience => {
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
