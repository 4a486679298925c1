//! The writers of a process, each with a connection and a shard of the tasks: while the statement of one
//! is under way, that of another is composed. A task's operations are done by one writer, in their order.

use std::sync::Arc;

use tasker_store::{Claim, StoreError, TaskId};
use tokio::sync::{mpsc, oneshot};

use crate::connection::Connection;
use crate::operation::Operation;
use crate::session::Session;
use crate::settings::ConnectionSettings;
use crate::shared::{Shared, shard_of};
use crate::values::Result;
use crate::writer::{self, write_until_closed};

/// Where each writer takes its operations from.
#[derive(Debug)]
pub(crate) struct WriterShards(Vec<mpsc::Sender<Operation>>);

impl WriterShards {
    /// Starts a writer for each connection. They end once this is dropped and their queues are empty.
    pub(crate) fn start(
        connections: Vec<Connection>,
        shared: &Arc<Shared>,
        settings: &Arc<ConnectionSettings>,
    ) -> Self {
        let start = |(shard, connection)| {
            let session = Session::new(connection, shard, Arc::clone(shared));
            let (queue, waiting) = mpsc::channel(writer::QUEUE);
            tokio::spawn(write_until_closed(session, waiting, Arc::clone(settings)));
            queue
        };
        Self(connections.into_iter().enumerate().map(start).collect())
    }

    /// Has the writer of a task do an operation.
    pub(crate) async fn ask<T>(
        &self,
        task: TaskId,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        self.ask_shard(shard_of(task, self.0.len()), operation).await
    }

    /// Has a writer do an operation that concerns no task yet.
    pub(crate) async fn ask_any<T>(
        &self,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        self.ask_shard(0, operation).await
    }

    /// Has each writer do an operation with those of the claims that are on its tasks.
    pub(crate) async fn ask_each<T>(
        &self,
        claims: Vec<Claim>,
        operation: impl Fn(Vec<Claim>, oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<Vec<T>> {
        let mut by_shard = vec![Vec::new(); self.0.len()];
        for claim in claims {
            by_shard[shard_of(claim.task, self.0.len())].push(claim);
        }
        let mut waiting = Vec::new();
        for (shard, claims) in by_shard.into_iter().enumerate().filter(|(_, claims)| !claims.is_empty()) {
            let (answer, answered) = oneshot::channel();
            self.0[shard].send(operation(claims, answer)).await.map_err(|_| StoreError::Closed)?;
            waiting.push(answered);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answered in waiting {
            answers.push(answered.await.map_err(|_| StoreError::Closed)??);
        }
        Ok(answers)
    }

    async fn ask_shard<T>(
        &self,
        shard: usize,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.0[shard].send(operation(answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}
