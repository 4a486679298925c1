//! Files of the application's that are attached to the connection that writes.

use std::path::Path;

use rusqlite::Connection;
use tasker_store::StoreError;

use crate::checkpoint::Checkpoints;
use crate::connection::{check_path, set_up};
use crate::error::{Result, SqliteError, cannot_open, sqlite_cannot_open};
use crate::open_file::OpenFile;

/// A file that is attached.
#[derive(Debug)]
pub(crate) struct AttachedFile {
    pub(crate) file: OpenFile,
    pub(crate) checkpoints: Checkpoints,
}

/// Attaches a file of the application's under the name of a schema.
pub(crate) fn attach(
    connection: &Connection,
    schema: &str,
    path: &Path,
) -> std::result::Result<AttachedFile, StoreError> {
    check_name(schema, path)?;
    check_path(path)?;
    // SQLite would make an empty file, and a slip in the path would show when a handler's statement fails.
    let path = path.canonicalize().map_err(|error| {
        cannot_open(path, format!("{error}; the application makes the files that are attached"))
    })?;
    let failed = |source| sqlite_cannot_open(&path, source);
    if connection.path().is_some_and(|own| Path::new(own).canonicalize().is_ok_and(|own| own == path)) {
        return Err(cannot_open(&path, "it is the store's own file, whose tables need no attaching"));
    }
    connection.execute("ATTACH ?1 AS ?2", [path.to_string_lossy().as_ref(), schema]).map_err(failed)?;
    set_up(connection, schema, &path)?;
    // SQLite attaches a read-only file without an error: writing is tried, and undone.
    let tried = connection.execute_batch(&format!("BEGIN; PRAGMA {schema}.user_version = 0"));
    connection.execute_batch("ROLLBACK").and(tried).map_err(failed)?;
    let opened = (|| -> Result<AttachedFile> {
        // Only once something was read is there a log.
        connection.query_row(&format!("PRAGMA {schema}.schema_version"), [], |_| Ok(()))?;
        Ok(AttachedFile {
            checkpoints: Checkpoints::of(connection, schema, &path)?,
            file: OpenFile::new(path.clone()),
        })
    })();
    opened.map_err(|error: SqliteError| error.of(&path))
}

/// The names that SQLite takes without quotes, but for its own.
fn check_name(schema: &str, path: &Path) -> std::result::Result<(), StoreError> {
    let is_plain = schema.starts_with(|first: char| first.is_ascii_alphabetic())
        && schema.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
    if is_plain && !["main", "temp"].iter().any(|own| schema.eq_ignore_ascii_case(own)) {
        return Ok(());
    }
    let reason = format!(
        "it cannot be attached as `{schema}`: a name has letters, digits and `_`, and is not `main` or `temp`"
    );
    Err(cannot_open(path, reason))
}
