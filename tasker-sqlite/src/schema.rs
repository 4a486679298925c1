//! The file's schema: numbered migrations, each applied once, under the database's write lock.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
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

/// The table with the schema's version, in a file that Tasker shares with an application. There `user_version`
/// and the application id are the application's.
const VERSION_TABLE: &str = "tasker_schema";

/// What a file says of itself.
#[derive(Clone, Copy)]
struct Marks {
    /// The version of our schema; 0 where there is none.
    version: i64,
    home: Home,
}

/// Where a file has the version of our schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// In `user_version`, beside our application id.
    Pragma,
    /// In our table: the file is shared.
    Table,
    /// Nowhere: there is nothing in the file.
    Empty,
    /// Nowhere, and there are tables or marks of an application.
    Foreign,
}

/// Brings the schema up to date. Returns the version before, and the statements that were run. Safe to run
/// twice, and from several processes at once.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    share: bool,
) -> Result<(i64, Vec<String>), StoreError> {
    let found = plan(connection, path, share)?;
    if found.1.is_empty() {
        return Ok(found);
    }
    let failed = |source: rusqlite::Error| sqlite_cannot_open(path, source);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Planned again: another process may have migrated while this one waited for the lock.
    let (version, statements) = plan(&transaction, path, share)?;
    statements.iter().try_for_each(|sql| transaction.execute_batch(sql)).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok((version, statements))
}

/// The version of the file, and the statements that migrate it to the newest, and that share it where that is
/// asked for. Changes nothing.
///
/// # Errors
///
/// When the file is of another program, unless it is to be shared; when it is of a newer version of this one;
/// and when the application has given a name to something that is to be the name of a table of ours.
pub(crate) fn plan(
    connection: &Connection,
    path: &Path,
    share: bool,
) -> Result<(i64, Vec<String>), StoreError> {
    let what = || path.display().to_string();
    let failed = |source: rusqlite::Error| sqlite_cannot_open(path, source);
    let Marks { version, home } = marks(connection).map_err(failed)?;
    if home == Home::Foreign && !share {
        let reason = "it is a SQLite database of another program; choose another path, or add `?share=true` \
                      to the URL to keep tasks in it beside the program's own tables";
        return Err(StoreError::Open { what: what(), source: reason.into() });
    }
    if version > newest() {
        return Err(StoreError::Newer { what: what(), found: version, known: newest() });
    }
    if version < newest() && home != Home::Empty {
        refuse_collision(connection, path, version)?;
    }
    let statements = match home {
        Home::Pragma if share => handed_over(version),
        Home::Table => script(version, true),
        Home::Pragma | Home::Empty | Home::Foreign => script(version, share),
    };
    Ok((version, statements))
}

/// The statements that migrate a file from a version to the newest.
pub(crate) fn script(version: i64, share: bool) -> Vec<String> {
    let mut statements = Vec::new();
    if version == newest() {
        return statements;
    }
    if share && version == 0 {
        statements.push(format!("CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL) STRICT;"));
        statements.push(format!("INSERT INTO {VERSION_TABLE} VALUES (0);"));
    }
    for (target, migration) in (1..).zip(MIGRATIONS).filter(|(target, _)| *target > version) {
        statements.push(migration.to_owned());
        statements.push(match share {
            true => format!("UPDATE {VERSION_TABLE} SET version = {target};"),
            false => format!("PRAGMA user_version = {target};"),
        });
    }
    if !share {
        statements.push(format!("PRAGMA application_id = {APPLICATION_ID};"));
    }
    statements
}

/// The statements that share a file that was ours alone, and migrate it.
fn handed_over(version: i64) -> Vec<String> {
    let mut statements = vec![
        format!("CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL) STRICT;"),
        format!("INSERT INTO {VERSION_TABLE} VALUES ({version});"),
        "PRAGMA user_version = 0;".to_owned(),
        "PRAGMA application_id = 0;".to_owned(),
    ];
    statements.extend(script(version, true));
    statements
}

/// What the file is marked with. The marks and the names are read in one statement: another process may be
/// creating the file's schema at this moment. Our table, once there, stays.
fn marks(connection: &Connection) -> rusqlite::Result<Marks> {
    let sql = "SELECT
            application_id, user_version, (SELECT count(*) FROM sqlite_schema),
            EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)
        FROM pragma_application_id, pragma_user_version";
    let (application, version, names, shared): (i64, i64, i64, bool) =
        connection.query_row(sql, [VERSION_TABLE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    if shared {
        let sql = format!("SELECT max(version) FROM {VERSION_TABLE}");
        let version = connection.query_row(&sql, [], |row| row.get(0))?;
        return Ok(Marks { version, home: Home::Table });
    }
    Ok(match application {
        APPLICATION_ID => Marks { version, home: Home::Pragma },
        _ if names == 0 && version == 0 => Marks { version: 0, home: Home::Empty },
        _ => Marks { version: 0, home: Home::Foreign },
    })
}

/// Refuses a file in which the application has taken a name that the migrations from a version on give.
fn refuse_collision(connection: &Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let failed = |source: rusqlite::Error| sqlite_cannot_open(path, source);
    let (old, new) = MIGRATIONS.split_at(usize::try_from(version).unwrap_or_default());
    let is_ours = |name: &str| old.iter().flat_map(|sql| names(sql)).any(|own| own == name);
    for name in new.iter().flat_map(|sql| names(sql)).filter(|name| !is_ours(name)) {
        let sql = "SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
        let found: Option<String> =
            connection.query_row(sql, [name], |row| row.get(0)).optional().map_err(failed)?;
        if let Some(kind) = found {
            let reason = format!(
                "the application's {kind} `{name}` has the name of one of Tasker's: give it another, or keep \
                 tasks in a file of their own, to which this one is attached: \
                 `sqlite://tasker.db?attach=app:{}`",
                path.display()
            );
            return Err(StoreError::Open { what: path.display().to_string(), source: reason.into() });
        }
    }
    Ok(())
}

/// The names that a migration gives to tables and indices, some of them for a moment only.
fn names(migration: &str) -> impl Iterator<Item = &str> {
    const BEFORE: [&str; 3] = ["CREATE TABLE ", "CREATE INDEX ", " RENAME TO "];
    let statements = migration.lines().filter(|line| !line.trim_start().starts_with("--"));
    statements.filter_map(|line| {
        let rest = BEFORE.iter().find_map(|before| Some(line.split_once(before)?.1))?;
        rest.split([' ', ';', '(']).next()
    })
}

/// The indexes that the migrations make, each with its statement.
pub(crate) fn expected_indexes() -> rusqlite::Result<Vec<(String, String)>> {
    let connection = Connection::open_in_memory()?;
    script(0, false).iter().try_for_each(|sql| connection.execute_batch(sql))?;
    indexes(&connection)
}

/// The indexes of a file that have a statement, which those of primary keys have not.
pub(crate) fn indexes(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
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
        migrate(&mut connection, path, false).unwrap();
        migrate(&mut connection, path, false).unwrap();
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
        migrate(&mut connection, path, false).unwrap();
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
        migrate(&mut connection, path, false).unwrap();
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
        migrate(&mut connection, path, false).unwrap();
        let workers = crate::read::worker_records(&connection, |_| true).unwrap();
        let info = &workers[0].info;
        assert_eq!((info.process, info.host.as_str(), &info.namespaces), (7, "", &None));
    }

    #[test]
    fn a_newer_file_is_refused() {
        let (mut connection, path) = file();
        migrate(&mut connection, path, false).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, path, false).unwrap_err().to_string();
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
        let error = tasker_store::chain(&migrate(&mut connection, path, false).unwrap_err());
        assert!(error.contains("another program"), "{error}");
    }
    fn text(error: &StoreError) -> String {
        tasker_store::chain(error)
    }

    fn pragma(connection: &Connection, name: &str) -> i64 {
        connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
    }

    #[test]
    fn all_names_are_found_in_the_migrations() {
        let (mut connection, path) = file();
        migrate(&mut connection, path, false).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
        let mut statement = connection.prepare(sql).unwrap();
        let there: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let found: Vec<&str> = MIGRATIONS.iter().flat_map(|sql| names(sql)).collect();
        for name in &there {
            assert!(found.contains(&name.as_str()), "{name}");
        }
        assert!(there.len() > 10 && found.contains(&"task_6"));
    }

    #[test]
    fn a_file_of_another_program_is_shared_when_that_is_asked_for() {
        let (mut connection, path) = file();
        let theirs = "CREATE TABLE orders (id INTEGER); PRAGMA user_version = 99; PRAGMA application_id = 5";
        connection.execute_batch(theirs).unwrap();
        let error = text(&migrate(&mut connection, path, false).unwrap_err());
        assert!(error.contains("add `?share=true`"), "{error}");
        for share in [true, false] {
            migrate(&mut connection, path, share).unwrap();
            assert_eq!(plan(&connection, path, share).unwrap(), (newest(), Vec::new()));
        }
        assert_eq!((pragma(&connection, "user_version"), pragma(&connection, "application_id")), (99, 5));
    }

    #[test]
    fn an_empty_file_and_one_of_ours_can_be_shared() {
        let migrated = |shares: &[bool]| {
            let (mut connection, path) = file();
            shares.iter().for_each(|share| _ = migrate(&mut connection, path, *share).unwrap());
            assert_eq!(plan(&connection, path, false).unwrap(), (newest(), Vec::new()));
            (pragma(&connection, "user_version"), pragma(&connection, "application_id"))
        };
        assert_eq!(migrated(&[true]), (0, 0));
        assert_eq!(migrated(&[false, true]), (0, 0));
        assert_eq!(migrated(&[false]), (newest(), APPLICATION_ID));
    }

    #[test]
    fn a_file_of_ours_of_an_earlier_version_can_be_shared() {
        let (mut connection, path) = file();
        script(0, false)[..2 * 3].iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        let (from, _) = migrate(&mut connection, path, true).unwrap();
        assert_eq!((from, marks(&connection).unwrap().version), (3, newest()));
        assert_eq!((pragma(&connection, "user_version"), pragma(&connection, "application_id")), (0, 0));
    }

    #[test]
    fn a_shared_file_of_an_earlier_version_is_migrated() {
        let (mut connection, path) = file();
        connection.execute_batch("CREATE TABLE orders (id INTEGER)").unwrap();
        let all = script(0, true);
        // The table with the version, and the first three versions, each followed by its number.
        all[..2 + 2 * 3].iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        let (from, _) = migrate(&mut connection, path, false).unwrap();
        assert_eq!((from, marks(&connection).unwrap().version), (3, newest()));
        connection.execute_batch("UPDATE tasker_schema SET version = 99").unwrap();
        let error = text(&plan(&connection, path, true).unwrap_err());
        assert!(error.contains("has schema version 99"), "{error}");
    }

    #[test]
    fn names_that_the_application_has_taken_are_refused_by_name() {
        for (theirs, says) in [
            ("CREATE TABLE Task (id INTEGER)", "the application's table `task`"),
            ("CREATE TABLE a (b); CREATE INDEX step_ready ON a (b)", "index `step_ready`"),
            ("CREATE VIEW tag AS SELECT 1", "view `tag`"),
            // It is a name for a moment only.
            ("CREATE TABLE step_6 (id INTEGER)", "table `step_6`"),
        ] {
            let (mut connection, path) = file();
            connection.execute_batch(theirs).unwrap();
            let error = text(&migrate(&mut connection, path, true).unwrap_err());
            assert!(error.contains(says) && error.contains("attach=app:test.db"), "{error}");
        }
        // One that a later version has come to need.
        let (mut connection, path) = file();
        script(0, true)[..2 + 2 * 4].iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        connection.execute_batch("CREATE TABLE permit (id INTEGER)").unwrap();
        let error = text(&migrate(&mut connection, path, false).unwrap_err());
        assert!(error.contains("table `permit`"), "{error}");
    }
}
