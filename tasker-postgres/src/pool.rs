//! The connections for reads and rare operations: those that neither write nor send heartbeats.

use std::future::Future;
use std::sync::Arc;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool as Connections, PoolError, RecyclingMethod};
use tasker_store::StoreError;

use crate::answered::answered;
use crate::error::{PgError, is_connection_lost};
use crate::settings::ConnectionSettings;

/// A pool whose connections are given up when no answer comes.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    connections: Connections,
    settings: Arc<ConnectionSettings>,
}

impl Pool {
    pub(crate) fn new(settings: &Arc<ConnectionSettings>) -> Result<Self, StoreError> {
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(settings.planned(), settings.connector.clone(), fast);
        let max = settings.connections - settings.writers - 1;
        let failed = |error| StoreError::Open { what: settings.describe(), source: Box::new(error) };
        let connections = Connections::builder(manager).max_size(max).build().map_err(failed)?;
        Ok(Self { connections, settings: Arc::clone(settings) })
    }

    /// A connection, as soon as one is free.
    pub(crate) async fn get(&self) -> Result<Object, StoreError> {
        let got = async {
            self.connections.get().await.map_err(|error| match error {
                PoolError::Backend(error) => PgError::Database(error),
                error => PgError::Store(StoreError::Database {
                    what: self.settings.describe(),
                    source: Box::new(error),
                }),
            })
        };
        answered(self.settings.read_timeout(), got).await.map_err(|error| self.store_error(error))
    }

    /// Waits for the answer to what was sent on one of the connections.
    pub(crate) async fn answered<T, E: Into<PgError>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, PgError> {
        answered(self.settings.read_timeout(), answer).await
    }

    /// Takes a connection back, unless what came of its use shows that it is of no more use.
    pub(crate) fn give_back<T>(&self, connection: Object, done: Result<T, PgError>) -> Result<T, StoreError> {
        done.map_err(|error| {
            if is_connection_lost(&error, &connection) {
                drop(Object::take(connection));
            }
            self.store_error(error)
        })
    }

    fn store_error(&self, error: PgError) -> StoreError {
        error.into_store_error(&self.settings.describe())
    }
}
