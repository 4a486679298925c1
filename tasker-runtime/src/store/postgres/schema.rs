//! The tables: numbered migrations, each applied once, under a lock.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, GenericClient};

use crate::store::StoreError;
use crate::store::postgres::settings::Settings;
use crate::store::postgres::values::failed;

/// A step from one version of the schema to the next.
struct Migration {
    sql: &'static str,
    /// Programs that know this version or a later one can go on with the schema as it is afterwards.
    works_with: i32,
}

const MIGRATIONS: [Migration; 1] =
    [Migration { sql: include_str!("migrations/001_initial.sql"), works_with: 1 }];

/// What a schema is at.
struct Marks {
    version: i32,
    /// The oldest version that a program must know to work with it.
    works_with: i32,
}

fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("a few migrations")
}

/// Brings the schema up to date. Safe to run twice, and from several processes at once. Changes
/// nothing when it is, so that a worker needs no right to.
pub(super) async fn migrate(client: &mut Client, settings: &Settings) -> Result<(), StoreError> {
    let what = settings.describe();
    if check(marks(client, settings).await?, &what)? == newest() {
        return Ok(());
    }
    let failed = |error| failed(error, &what);
    let transaction = client.transaction().await.map_err(failed)?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('tasker migrations of ' || $1, 0))";
    transaction.query_typed(lock, &[(&settings.schema, Type::TEXT)]).await.map_err(failed)?;
    // Again: another process may have migrated while we waited for the lock.
    let version = check(marks(&transaction, settings).await?, &what)?;
    let schema = settings.quoted_schema();
    if version == 0 {
        let there = "SELECT to_regnamespace($1) IS NOT NULL";
        let there = transaction.query_typed(there, &[(&schema, Type::TEXT)]).await.map_err(failed)?;
        if !there.first().is_some_and(|row| row.get(0)) {
            transaction.batch_execute(&format!("CREATE SCHEMA {schema}")).await.map_err(failed)?;
        }
        let table = format!(
            "CREATE TABLE {schema}.migration (
                version integer PRIMARY KEY,
                works_with integer NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )"
        );
        transaction.batch_execute(&table).await.map_err(failed)?;
    }
    for (target, migration) in (1..).zip(&MIGRATIONS).filter(|(target, _)| *target > version) {
        transaction.batch_execute(&migration.sql.replace("{schema}", &schema)).await.map_err(failed)?;
        let sql = format!("INSERT INTO {schema}.migration (version, works_with) VALUES ($1, $2)");
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&target, Type::INT4), (&migration.works_with, Type::INT4)];
        transaction.query_typed(&sql, &values).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The schema's version, when this program can work with it.
fn check(marks: Marks, what: &str) -> Result<i32, StoreError> {
    if marks.works_with > newest() {
        let (found, known) = (marks.version.into(), newest().into());
        return Err(StoreError::Newer { what: what.to_owned(), found, known });
    }
    Ok(marks.version.min(newest()))
}

async fn marks(client: &impl GenericClient, settings: &Settings) -> Result<Marks, StoreError> {
    let failed = |error| failed(error, &settings.describe());
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
