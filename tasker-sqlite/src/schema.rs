//! The file's schema: numbered migrations, each applied once, under the database's write lock.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use tasker_store::StoreError;

use crate::error::sqlite_cannot_open;

/// Marks the file as ours: `TASK` in ASCII.
const APPLICATION_ID: i64 = 0x5441_534b;

/// Migration N takes the schema from version N - 1 to N.
const MIGRATIONS: [&str; 7] = [
    include_str!("../migrations/001_initial.sql"),
    include_str!("../migrations/002_operations.sql"),
    include_str!("../migrations/003_dead_letters.sql"),
    include_str!("../migrations/004_workers.sql"),
    include_str!("../migrations/005_limits.sql"),
    include_str!("../migrations/006_runs.sql"),
    include_str!("../migrations/007_programs.sql"),
];

/// Refuses the file of another program, and one of a newer version of this one. Changes nothing.
pub(crate) fn inspect(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let what = || path.display().to_string();
    let Marks { application, version, tables } = marks(connection, path)?;
    if application != APPLICATION_ID && (tables > 0 || version != 0) {
        let reason = "it is a SQLite database of another program; choose another path";
        return Err(StoreError::Open { what: what(), source: reason.into() });
    }
    if version > newest() {
        return Err(StoreError::Newer { what: what(), found: version, known: newest() });
    }
    Ok(())
}

/// Brings the schema up to date. Returns the version before, and the statements that were run. Safe to run
/// twice, and from several processes at once.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(i64, Vec<String>), StoreError> {
    let found = plan(connection, path)?;
    if found.1.is_empty() {
        return Ok(found);
    }
    let failed = |source: rusqlite::Error| sqlite_cannot_open(path, source);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Checked again: another process may have migrated while this one waited for the lock.
    inspect(&transaction, path)?;
    let (version, statements) = plan(&transaction, path)?;
    statements.iter().try_for_each(|sql| transaction.execute_batch(sql)).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok((version, statements))
}

/// The version of the file, and the statements that migrate it to the newest.
pub(crate) fn plan(connection: &Connection, path: &Path) -> Result<(i64, Vec<String>), StoreError> {
    let Marks { application, version, .. } = marks(connection, path)?;
    let is_ours = application == APPLICATION_ID;
    Ok((version, if is_ours && version == newest() { Vec::new() } else { script(version) }))
}

/// The statements that migrate a file from a version to the newest.
pub(crate) fn script(version: i64) -> Vec<String> {
    let mut statements = Vec::new();
    for (target, migration) in (1..).zip(MIGRATIONS).filter(|(target, _)| *target > version) {
        statements.push(migration.to_owned());
        statements.push(format!("PRAGMA user_version = {target};"));
    }
    statements.push(format!("PRAGMA application_id = {APPLICATION_ID};"));
    statements
}

/// The application id and the version that the file is marked with.
struct Marks {
    application: i64,
    version: i64,
    tables: i64,
}

/// Read in one statement: another process may be creating the file's schema at this moment.
fn marks(connection: &Connection, path: &Path) -> Result<Marks, StoreError> {
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version";
    let read = connection.query_row(sql, [], |row| {
        Ok(Marks { application: row.get(0)?, version: row.get(1)?, tables: row.get(2)? })
    });
    read.map_err(|source| sqlite_cannot_open(path, source))
}

pub(crate) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a few migrations")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Connection, &'static Path) {
        (Connection::open_in_memory().unwrap(), Path::new("test.db"))
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let (mut connection, path) = file();
        migrate(&mut connection, path).unwrap();
        migrate(&mut connection, path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, newest());
    }

    #[test]
    fn a_file_of_the_first_version_keeps_its_tasks() {
        let (mut connection, path) = file();
        let rows = "
            INSERT INTO template VALUES (x'01', 'n', 't', '1', '{}');
            INSERT INTO task
            VALUES (x'00000000000000000000000000000007', x'00000000000000000000000000000001', 'in_progress',
                x'07', '{}', 5, NULL);
            INSERT INTO step (task_id, step, state, attempts, worker_id, claimed_at)
            VALUES (x'00000000000000000000000000000007', 1, 'in_progress', 2,
                x'00000000000000000000000000000009', 6);
            INSERT INTO step (task_id, step, state, attempts, due_at)
            VALUES (x'00000000000000000000000000000007', 2, 'waiting_for_retry', 1, 99);
            INSERT INTO step (task_id, step, state, waiting_for)
            VALUES (x'00000000000000000000000000000007', 3, 'pending', 1);
            INSERT INTO attempt (task_id, step, attempt, worker_id, started_at, finished_at, outcome, result)
            VALUES (x'00000000000000000000000000000007', 0, 1, x'00000000000000000000000000000009', 5, 6,
                'complete', '1');
        ";
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.execute_batch(rows).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        migrate(&mut connection, path).unwrap();
        let task = tasker_store::TaskId(uuid::Uuid::from_u128(7));
        let progress = crate::load::progress(&connection, task).unwrap().unwrap();
        let steps: Vec<_> =
            progress.runs().map(|(key, run)| (key.step, run.state, run.attempts, run.rank)).collect();
        use tasker_store::StepState::{InProgress, WaitingForRetry};
        assert_eq!(steps, [(1, InProgress, 2, None), (2, WaitingForRetry, 1, Some(99))]);
        assert_eq!(progress.claims().next().unwrap().worker.0, uuid::Uuid::from_u128(9));
    }

    #[test]
    fn a_file_of_the_second_version_keeps_what_operators_have_done() {
        let (mut connection, path) = file();
        let rows = "
            INSERT INTO task (id, template_id, state, correlation_id, context, created_at)
            VALUES (x'00000000000000000000000000000007', x'00000000000000000000000000000001', 'error',
                x'00000000000000000000000000000007', '{}', 5);
            INSERT INTO action
            VALUES (x'00000000000000000000000000000007', 1, 'give_up', '[]', 'ada', 'why', 6);
        ";
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.execute_batch(MIGRATIONS[1]).unwrap();
        connection.execute_batch(rows).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        migrate(&mut connection, path).unwrap();
        let task = tasker_store::TaskId(uuid::Uuid::from_u128(7));
        let record = crate::read::task(&connection, task).unwrap().unwrap();
        let action = &record.actions[0];
        assert_eq!((action.action.as_str(), action.by.as_str()), ("give_up", "ada"));
        assert!(action.details.is_empty());
        let filter = tasker_store::TaskFilter::new().given_up();
        assert_eq!(crate::read::tasks(&connection, &filter).unwrap().len(), 1);
    }

    #[test]
    fn a_file_of_the_third_version_keeps_its_workers() {
        let (mut connection, path) = file();
        MIGRATIONS[..3].iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        let row = "INSERT INTO worker VALUES (x'00000000000000000000000000000009', 7, 5)";
        connection.execute_batch(row).unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        migrate(&mut connection, path).unwrap();
        let workers = crate::read::worker_records(&connection, |_| true).unwrap();
        let info = &workers[0].info;
        assert_eq!((info.process, info.host.as_str(), &info.namespaces), (7, "", &None));
    }

    #[test]
    fn a_newer_file_is_refused() {
        let (mut connection, path) = file();
        migrate(&mut connection, path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, path).unwrap_err().to_string();
        let knows = newest();
        assert_eq!(
            error,
            format!(
                "test.db has schema version 99, and this program knows {knows}: use a newer version of it"
            )
        );
    }

    #[test]
    fn the_database_of_another_program_is_left_alone() {
        let (mut connection, path) = file();
        connection.execute_batch("CREATE TABLE task (id INTEGER)").unwrap();
        let error = tasker_store::chain(&migrate(&mut connection, path).unwrap_err());
        assert!(error.contains("another program"), "{error}");
    }
}
