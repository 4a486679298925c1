//! Reads the URL of a store, and opens its connections.

use tasker_store::{StoreError, blocking};
use tokio_postgres::Client;
use tokio_postgres::error::DbError;

use crate::answered::answered;
use crate::connection::Connection;
use crate::error::PgError;
use crate::schema;
use crate::settings::ConnectionSettings;
use crate::values::get;

/// What a URL says. The certificates that it names are read, which may block.
pub(crate) async fn settings(url: &str) -> Result<ConnectionSettings, StoreError> {
    let url = url.to_owned();
    blocking(move || ConnectionSettings::parse(&url)).await
}

/// Opens a connection.
pub(crate) async fn connect(settings: &ConnectionSettings) -> Result<Connection, StoreError> {
    Connection::open(settings).await.map_err(|error| {
        let refusal = match &error {
            PgError::Database(error) => error.as_db_error().map(DbError::message),
            _ => None,
        };
        let source = match refusal {
            // A proxy that does not pass on the options by which we have statements planned.
            Some(message) if settings.prepared && message.contains("options") => {
                format!("{message}; a proxy that takes none needs `prepared=false` in the URL").into()
            }
            Some(message) => message.to_owned().into(),
            None => match error.into_store_error(&settings.describe()) {
                StoreError::Database { source, .. } => source,
                error => return error,
            },
        };
        StoreError::Open { what: settings.describe(), source }
    })
}

/// Warns of an encoding in which not every text can be kept.
pub(crate) async fn check_encoding(client: &Client, settings: &ConnectionSettings) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('server_encoding') AS encoding";
    let rows = answered(settings.read_timeout(), client.query_typed(sql, &[])).await;
    let rows = rows.map_err(|error| error.into_store_error(&settings.describe()))?;
    let encoding = rows.first().map(|row| get::<String>(row, "encoding")).transpose()?;
    if let Some(encoding) = encoding.filter(|encoding| encoding != "UTF8") {
        tracing::warn!(
            store = settings.describe(),
            encoding,
            "the database's encoding is not UTF8: a step whose result has a character that the encoding lacks \
             fails for good; create the database with `ENCODING 'UTF8'`"
        );
    }
    Ok(())
}

/// Opens the connections of the writers, and brings the schema up to date.
pub(crate) async fn writers(settings: &ConnectionSettings) -> Result<Vec<Connection>, StoreError> {
    let mut connection = connect(settings).await?;
    check_encoding(&connection.client, settings).await?;
    schema::migrate(&mut connection.client, settings).await?;
    let mut connections = vec![connection];
    while connections.len() < settings.writers {
        connections.push(connect(settings).await?);
    }
    Ok(connections)
}
