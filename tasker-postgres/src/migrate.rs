//! Migrates the schema of a store, for commands that do nothing else.

use tasker_store::{Migration, StoreError};

use crate::open::{check_encoding, connect, settings};
use crate::schema;
use crate::settings::ConnectionSettings;

/// Brings the schema at a URL up to date, and returns what that took.
///
/// # Errors
///
/// When the database cannot be reached, or the schema is of a newer version.
pub async fn migrate(url: &str) -> Result<Migration, StoreError> {
    let settings = settings(url).await?;
    let mut connection = connect(&settings).await?;
    check_encoding(&connection.client, &settings).await?;
    let (from, sql) = schema::migrate(&mut connection.client, &settings).await?;
    Ok(migration(&settings, from, sql))
}

/// What [`migrate`] would do. Changes nothing.
///
/// # Errors
///
/// When the database cannot be reached, or the schema is of a newer version.
pub async fn plan_migration(url: &str) -> Result<Migration, StoreError> {
    let settings = settings(url).await?;
    let connection = connect(&settings).await?;
    let (from, sql) = schema::plan(&connection.client, &settings).await?;
    Ok(migration(&settings, from, sql))
}

fn migration(settings: &ConnectionSettings, from: i32, sql: Vec<String>) -> Migration {
    Migration::new(settings.describe(), from.into(), schema::newest().into(), sql)
}
