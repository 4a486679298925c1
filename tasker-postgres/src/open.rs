//! Reads the URL of a store, and opens its connections.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tasker_store::{StoreError, blocking};

use crate::connection::Connection;
use crate::settings::ConnectionSettings;
use crate::tls;

/// What a URL says. The certificates that it names are read, which may block.
pub(crate) async fn settings(url: &str) -> Result<ConnectionSettings, StoreError> {
    let url = url.to_owned();
    blocking(move || ConnectionSettings::parse(&url)).await
}

/// Opens a connection.
pub(crate) async fn connect(settings: &ConnectionSettings) -> Result<Connection, StoreError> {
    Connection::open(settings).await.map_err(|error| {
        let source = match error.as_db_error() {
            // A proxy that does not pass on the options by which we have statements planned.
            Some(refusal) if settings.prepared && refusal.message().contains("options") => {
                let message = refusal.message();
                format!("{message}; a proxy that takes none needs `prepared=false` in the URL").into()
            }
            Some(refusal) => refusal.message().to_owned().into(),
            None => tls::explain(&error).map_or_else(|| error.into(), Into::into),
        };
        StoreError::Open { what: settings.describe(), source }
    })
}

/// The pool for reads and rare operations. It has the connections that neither write nor listen.
pub(crate) fn pool(settings: &ConnectionSettings) -> Result<Pool, StoreError> {
    let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_connect(settings.planned(), settings.connector.clone(), fast);
    let pool = Pool::builder(manager).max_size(settings.connections - settings.writers - 1).build();
    pool.map_err(|error| StoreError::Open { what: settings.describe(), source: Box::new(error) })
}
