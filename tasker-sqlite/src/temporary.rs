//! A file for one test, with tables of the application's.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tasker_store::{SqlValue, StoreError};
use tempfile::TempDir;

use crate::connection::connect;
use crate::error::{SqliteError, cannot_open};
use crate::{SqliteOptions, SqliteStore};

/// The directory of such a file, which is removed with the store.
#[derive(Debug)]
pub(crate) struct Temporary {
    directory: TempDir,
    /// The names of the attached files.
    schemas: Vec<String>,
}

impl Temporary {
    fn file(&self, schema: &str) -> PathBuf {
        self.directory.path().join(format!("{schema}.db"))
    }

    fn attached(&self) -> impl Iterator<Item = (&String, PathBuf)> {
        self.schemas.iter().map(|schema| (schema, self.file(schema)))
    }
}

impl SqliteStore {
    /// A store in a file of its own, which is removed with it. `tables` are statements that create tables of
    /// the application's: in this file, or in one that is attached by the name of a schema. Paused time stands
    /// still while the store works, and nothing is synced.
    ///
    /// # Errors
    ///
    /// When a statement fails, or a table has the name of one of Tasker's.
    #[doc(hidden)]
    pub fn temporary(tables: &[(Option<String>, String)]) -> Result<Self, StoreError> {
        let directory =
            tempfile::tempdir().map_err(|error| cannot_open("a temporary file".as_ref(), error))?;
        let mut schemas: Vec<String> = tables.iter().filter_map(|(schema, _)| schema.clone()).collect();
        schemas.sort();
        schemas.dedup();
        let temporary = Temporary { directory, schemas };
        for (schema, sql) in tables {
            let path = temporary.file(schema.as_deref().unwrap_or("main"));
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let made = connect(&path, flags)?.execute_batch(sql);
            made.map_err(|error| cannot_open(&path, error))?;
        }
        let options = SqliteOptions::new(temporary.file("main")).share();
        let attach = |options: SqliteOptions, (schema, path)| options.attach(schema, path);
        let session = Self::session(&temporary.attached().fold(options, attach))?;
        let unsynced = session.connection.execute_batch("PRAGMA synchronous = OFF");
        unsynced.map_err(|error| SqliteError::from(error).of(session.path()))?;
        let mut store = Self::start(session)?;
        store.writer.hold_time();
        store.temporary = Some(temporary);
        Ok(store)
    }

    /// The rows that a statement gives, on a connection of its own. For a [temporary](Self::temporary) store.
    ///
    /// # Errors
    ///
    /// When the statement fails.
    #[doc(hidden)]
    pub fn rows(&self, sql: &str) -> Result<Vec<Vec<SqlValue>>, StoreError> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mut attached = self.temporary.iter().flat_map(Temporary::attached);
        let attach = |(schema, path): (&String, PathBuf)| {
            connection.execute("ATTACH ?1 AS ?2", [path.to_string_lossy().as_ref(), schema]).map(drop)
        };
        let read = attached.try_for_each(attach).and_then(|()| read(&connection, sql));
        read.map_err(|error| SqliteError::from(error).of(&self.path))
    }
}

fn read(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Vec<SqlValue>>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => SqlValue::Null,
                ValueRef::Integer(value) => SqlValue::Integer(value),
                ValueRef::Real(value) => SqlValue::Real(value),
                ValueRef::Text(value) => SqlValue::Text(String::from_utf8_lossy(value).into_owned()),
                ValueRef::Blob(value) => SqlValue::Bytes(value.to_vec()),
            })
        });
        read.push(values.collect::<rusqlite::Result<_>>()?);
    }
    Ok(read)
}

/// Keeps tokio's paused time from running on until this is dropped: a runtime that waits for another thread
/// has nothing to do, and would skip to its next timer. It does not while a blocking task runs.
pub(crate) fn hold_time() -> Sender<()> {
    let (held, dropped) = channel();
    drop(tokio::task::spawn_blocking(move || dropped.recv()));
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_goes_with_its_store() {
        let tables = [(None, "CREATE TABLE a (b)"), (Some("shop"), "CREATE TABLE c (d)")];
        let tables = tables.map(|(schema, sql)| (schema.map(str::to_owned), sql.to_owned()));
        let store = SqliteStore::temporary(&tables).unwrap();
        assert!(store.rows("SELECT b, d FROM a, shop.c").unwrap().is_empty());
        let directory = store.path.parent().unwrap().to_owned();
        assert!(directory.join("shop.db").exists());
        drop(store);
        assert!(!directory.exists());
    }
}
