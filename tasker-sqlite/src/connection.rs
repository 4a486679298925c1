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
    synced.map_err(|source| sqlite_cannot_open(path, source))
}
