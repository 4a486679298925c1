//! The tables: numbered migrations, each applied once, under a lock.

use tasker_store::StoreError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, GenericClient};

use crate::error::store_error;
use crate::settings::ConnectionSettings;

/// A step from one version of the schema to the next.
struct Migration {
    sql: &'static str,
    /// Programs that know this version or a later one can go on with the schema as it is afterwards.
    works_with: i32,
}

const MIGRATIONS: [Migration; 3] = [
    Migration { sql: include_str!("../migrations/001_initial.sql"), works_with: 1 },
    // Version 1 knows no limits, and does not keep to them.
    Migration { sql: include_str!("../migrations/002_limits.sql"), works_with: 1 },
    // It renames columns: workers of earlier versions must have ended.
    Migration { sql: include_str!("../migrations/003_runs.sql"), works_with: 3 },
];

/// What a schema is at.
struct Marks {
    version: i32,
    /// The oldest version that a program must know to work with it.
    works_with: i32,
}

pub(crate) fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("a few migrations")
}

/// Brings the schema up to date: from which version, and what that took. Safe to run twice, and from
/// several processes at once. Changes nothing when it is, so that a worker needs no right to.
pub(crate) async fn migrate(
    client: &mut Client,
    settings: &ConnectionSettings,
) -> Result<(i32, Vec<String>), StoreError> {
    let found = plan(client, settings).await?;
    if found.1.is_empty() {
        return Ok(found);
    }
    let what = settings.describe();
    let failed = |error: tokio_postgres::Error| match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            StoreError::Open { what: what.clone(), source: refused(found.0) }
        }
        _ => store_error(error, &what),
    };
    let transaction = client.transaction().await.map_err(failed)?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('tasker migrations of ' || $1, 0))";
    transaction.query_typed(lock, &[(&settings.schema, Type::TEXT)]).await.map_err(failed)?;
    // Again: another process may have migrated while we waited for the lock.
    let (version, statements) = plan(&transaction, settings).await?;
    for sql in &statements {
        transaction.batch_execute(sql).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok((version, statements))
}

/// The version of the schema, and what takes it to the newest.
pub(crate) async fn plan(
    client: &impl GenericClient,
    settings: &ConnectionSettings,
) -> Result<(i32, Vec<String>), StoreError> {
    let what = settings.describe();
    let version = check(marks(client, settings).await?, &what)?;
    let schema = settings.quoted_schema();
    let mut statements = Vec::new();
    if version == 0 {
        let there = "SELECT to_regnamespace($1) IS NOT NULL";
        let there = client.query_typed(there, &[(&schema, Type::TEXT)]).await;
        if !there.map_err(|error| store_error(error, &what))?.first().is_some_and(|row| row.get(0)) {
            statements.push(format!("CREATE SCHEMA {schema};"));
        }
        statements.push(format!(
            "CREATE TABLE {schema}.migration (
    version integer PRIMARY KEY,
    works_with integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);"
        ));
    }
    for (target, migration) in (1..).zip(&MIGRATIONS).filter(|(target, _)| *target > version) {
        statements.push(migration.sql.replace("{schema}", &schema));
        let works_with = migration.works_with;
        statements.push(format!(
            "INSERT INTO {schema}.migration (version, works_with) VALUES ({target}, {works_with});"
        ));
    }
    Ok((version, statements))
}

/// Why a role that may not change the schema cannot go on.
fn refused(version: i32) -> Box<dyn std::error::Error + Send + Sync> {
    let is_at = match version {
        0 => "it has no tables yet".to_owned(),
        version => format!("it has schema version {version}, and this program needs {}", newest()),
    };
    format!("{is_at}, and this role may not change that; run `tasker migrate --store URL` with one that may")
        .into()
}

/// The schema's version, when this program can work with it.
fn check(marks: Marks, what: &str) -> Result<i32, StoreError> {
    if marks.works_with > newest() {
        let (found, known) = (marks.version.into(), newest().into());
        return Err(StoreError::Newer { what: what.to_owned(), found, known });
    }
    Ok(marks.version.min(newest()))
}

async fn marks(client: &impl GenericClient, settings: &ConnectionSettings) -> Result<Marks, StoreError> {
    let failed = |error| store_error(error, &settings.describe());
    let table = format!("{}.migration", settings.quoted_schema());
    let there = "SELECT to_regclass($1) IS NOT NULL";
    let there = client.query_typed(there, &[(&table, Type::TEXT)]).await.map_err(failed)?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Ok(Marks { version: 0, works_with: 0 });
    }
    let sql = format!("SELECT max(version), max(works_with) FROM {table}");
    let rows = client.query_typed(&sql, &[]).await.map_err(failed)?;
    let number = |column| rows.first().and_then(|row| row.get::<_, Option<i32>>(column)).unwrap_or(0);
    Ok(Marks { version: number(0), works_with: number(1) })
}
