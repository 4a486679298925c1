//! The schema of the tables, as numbered migrations. Each is applied once, under a lock.

use tasker_store::StoreError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, GenericClient};

use crate::answered::answered;
use crate::error::store_error;
use crate::settings::ConnectionSettings;
use crate::sql::without_comments;

/// The change from one version of the schema to the next.
struct Migration {
    sql: &'static str,
    /// The oldest version whose programs can still work with the schema afterwards.
    works_with: i32,
}

const MIGRATIONS: [Migration; 4] = [
    Migration { sql: include_str!("../migrations/001_initial.sql"), works_with: 1 },
    // Programs of version 1 know no limits, and do not enforce them.
    Migration { sql: include_str!("../migrations/002_limits.sql"), works_with: 1 },
    // It renames columns: workers of earlier versions must have ended.
    Migration { sql: include_str!("../migrations/003_runs.sql"), works_with: 3 },
    // Workers of version 3 leave out what it adds, and are not traced to their program.
    Migration { sql: include_str!("../migrations/004_programs.sql"), works_with: 3 },
];

/// The version of a schema.
struct SchemaVersion {
    version: i32,
    /// The oldest version whose programs can work with it.
    works_with: i32,
}

pub(crate) fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("a few migrations")
}

/// The indexes that the migrations make, each with the statement that makes it.
pub(crate) fn expected_indexes() -> Vec<(String, String)> {
    let mut indexes: Vec<(String, String)> = Vec::new();
    let scripts: Vec<String> = MIGRATIONS.iter().map(|migration| without_comments(migration.sql)).collect();
    for statement in scripts.iter().flat_map(|script| script.split(';')) {
        let text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| !["UNIQUE", "IF", "NOT", "EXISTS"].contains(word))
            .collect();
        match *words {
            ["CREATE", "INDEX", name, ..] => indexes.push((name.to_owned(), text.clone())),
            ["DROP", "INDEX", ref names @ ..] => {
                let dropped = |name: &str| {
                    names.iter().any(|one| one.trim_end_matches(',').ends_with(&format!(".{name}")))
                };
                indexes.retain(|(name, _)| !dropped(name));
            }
            _ => {}
        }
    }
    indexes
}

/// Brings the schema up to date, and returns its version before and the statements that were run. It may run
/// twice, and in several processes at once. Where the schema is up to date it writes nothing, so that a
/// worker's role needs no right to change the schema.
pub(crate) async fn migrate(
    client: &mut Client,
    settings: &ConnectionSettings,
) -> Result<(i32, Vec<String>), StoreError> {
    let what = settings.describe();
    let found = answered(settings.read_timeout(), plan(client, settings)).await;
    let found = found.map_err(|error| error.into_store_error(&what))?;
    if found.1.is_empty() {
        return Ok(found);
    }
    // From here on it takes as long as it takes: a table may be copied, or another process be migrating.
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

/// The version of the schema, and the statements that bring it up to date.
pub(crate) async fn plan(
    client: &impl GenericClient,
    settings: &ConnectionSettings,
) -> Result<(i32, Vec<String>), StoreError> {
    let what = settings.describe();
    let version = check(schema_version(client, settings).await?, &what)?;
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

/// The error for a role that may not change a schema that is not up to date.
fn refused(version: i32) -> Box<dyn std::error::Error + Send + Sync> {
    let is_at = match version {
        0 => "it has no tables yet".to_owned(),
        version => format!("it has schema version {version}, and this program needs {}", newest()),
    };
    format!("{is_at}, and this role may not change that; run `tasker migrate --store URL` with one that may")
        .into()
}

/// The schema's version, if this program can work with it.
fn check(schema: SchemaVersion, what: &str) -> Result<i32, StoreError> {
    if schema.works_with > newest() {
        let (found, known) = (schema.version.into(), newest().into());
        return Err(StoreError::Newer { what: what.to_owned(), found, known });
    }
    Ok(schema.version.min(newest()))
}

async fn schema_version(
    client: &impl GenericClient,
    settings: &ConnectionSettings,
) -> Result<SchemaVersion, StoreError> {
    let failed = |error| store_error(error, &settings.describe());
    let table = format!("{}.migration", settings.quoted_schema());
    let there = "SELECT to_regclass($1) IS NOT NULL";
    let there = client.query_typed(there, &[(&table, Type::TEXT)]).await.map_err(failed)?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Ok(SchemaVersion { version: 0, works_with: 0 });
    }
    let sql = format!("SELECT max(version), max(works_with) FROM {table}");
    let rows = client.query_typed(&sql, &[]).await.map_err(failed)?;
    let number = |column| rows.first().and_then(|row| row.get::<_, Option<i32>>(column)).unwrap_or(0);
    Ok(SchemaVersion { version: number(0), works_with: number(1) })
}

#[cfg(test)]
mod tests {
    use super::expected_indexes;

    #[test]
    fn an_index_that_is_made_anew_is_expected_as_it_is_in_the_end() {
        let indexes = expected_indexes();
        let of = |name: &str| indexes.iter().filter(|(one, _)| one == name).collect::<Vec<_>>();
        assert_eq!(of("task_open").len(), 1);
        let [(_, sql)] = of("step_ready")[..] else { panic!("{indexes:#?}") };
        let end =
            "ON {schema}.step (rank, task_id, step, instance) WHERE rank IS NOT NULL AND due_at IS NULL";
        assert_eq!(sql, &format!("CREATE INDEX step_ready {end}"));
    }
}
