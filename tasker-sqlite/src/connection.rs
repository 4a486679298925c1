//! Opening the file: what is checked before anything is written, and how each connection is set up.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tasker_store::StoreError;

use crate::error::{cannot_open, is_busy, sqlite_cannot_open};

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn check_path(path: &Path) -> Result<(), StoreError> {
    if path.to_string_lossy().starts_with("file:") {
        return Err(cannot_open(path, "it is a URI; write the path of a file"));
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        None => Ok(()),
        Some(parent) => Err(cannot_open(path, format!("the directory {} does not exist", parent.display()))),
    }
}

/// Opens a connection. It waits for a while when another process writes.
pub(crate) fn connect(path: &Path, open: OpenFlags) -> Result<Connection, StoreError> {
    let flags = open | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|source| sqlite_cannot_open(path, source))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|source| sqlite_cannot_open(path, source))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes commits to a file durable, and its readers independent of the writer. `schema` is the file's name on
/// the connection.
pub(crate) fn set_up(connection: &Connection, schema: &str, path: &Path) -> Result<(), StoreError> {
    let to_wal = format!("PRAGMA {schema}.journal_mode = WAL");
    let begun = Instant::now();
    let mode: String = loop {
        // SQLite's busy timeout does not apply here: another process may change the mode at the same time.
        match connection.query_row(&to_wal, [], |row| row.get(0)) {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => break answer.map_err(|source| sqlite_cannot_open(path, source))?,
        }
    };
    if mode != "wal" {
        return Err(cannot_open(path, format!("it cannot be used in WAL mode, only in mode {mode}")));
    }
    let synced = connection.execute_batch(&format!("PRAGMA {schema}.synchronous = FULL"));
    synced.map_err(|source| sqlite_cannot_open(path, source))?;
    check_durable(connection, schema, path)
}

/// Reads back what makes a commit durable. SQLite takes a pragma that it does not know, or does not honour,
/// without an error.
fn check_durable(connection: &Connection, schema: &str, path: &Path) -> Result<(), StoreError> {
    /// SQLite's number for `FULL`; `EXTRA` is above it.
    const FULL: i64 = 2;
    let failed = |source| sqlite_cannot_open(path, source);
    let read = |pragma| format!("PRAGMA {schema}.{pragma}");
    let mode: String = connection.query_row(&read("journal_mode"), [], |row| row.get(0)).map_err(failed)?;
    let level: i64 = connection.query_row(&read("synchronous"), [], |row| row.get(0)).map_err(failed)?;
    if mode == "wal" && level >= FULL {
        return Ok(());
    }
    let reason = format!(
        "its commits would not be durable: SQLite says journal_mode={mode} and synchronous={level}, and WAL and at \
         least 2 (FULL) were asked for; is this another SQLite than the one that Tasker is built with?"
    );
    Err(cannot_open(path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_commits_durable_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let connection = Connection::open(&path).unwrap();
        set_up(&connection, "main", &path).unwrap();
        for (pragma, says) in [
            ("synchronous = NORMAL", "journal_mode=wal and synchronous=1"),
            ("synchronous = OFF", "synchronous=0"),
            // SQLite says nothing about a value that it does not know, and takes another.
            ("synchronous = FUL", "synchronous="),
            ("journal_mode = DELETE", "journal_mode=delete and synchronous=2"),
        ] {
            connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
            let error = tasker_store::chain(&check_durable(&connection, "main", &path).unwrap_err());
            assert!(error.contains(says) && error.contains("not be durable"), "{pragma}: {error}");
            set_up(&connection, "main", &path).unwrap();
        }
    }
}
