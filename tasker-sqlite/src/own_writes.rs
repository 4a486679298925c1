//! Statements of a handler on the application's own tables, in the transaction that records its result.

use rusqlite::{Connection, ErrorCode, ToSql};
use tasker_store::{SqlValue, SqlWrite, StoreError};

use crate::error::{Result, SqliteError};

/// Runs the statements. When one fails, the rest is not run, and the caller must roll the transaction back.
pub(crate) fn run(connection: &Connection, writes: &[SqlWrite]) -> Result<()> {
    for write in writes {
        let failed = |reason: String, passing| {
            SqliteError::from(StoreError::Write { sql: write.sql.clone(), reason, passing })
        };
        if write.controls_transaction() {
            return Err(failed("it would end the transaction of the step's result".to_owned(), false));
        }
        execute(connection, write).map_err(|error| match error.sqlite_error_code() {
            // A disk that cannot be read, which SQLite may tell as a file that is malformed, is no fault of the
            // statement: all of it is tried again.
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::CannotOpen) => {
                error.into()
            }
            code => {
                let passing = matches!(
                    code,
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
                );
                failed(told(&error), passing)
            }
        })?;
    }
    Ok(())
}

/// What SQLite said, and what to do about it.
fn told(error: &rusqlite::Error) -> String {
    let said = error.to_string();
    if !said.starts_with("no such table") {
        return said;
    }
    format!(
        "{said}; the application creates its tables before its worker starts, in the store's own file or in \
         one that is attached (`?attach=NAME:PATH`)"
    )
}

fn execute(connection: &Connection, write: &SqlWrite) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&write.sql)?;
    if statement.parameter_count() != write.values.len() {
        return Err(rusqlite::Error::InvalidParameterCount(write.values.len(), statement.parameter_count()));
    }
    for (number, value) in (1..).zip(&write.values) {
        // To SQLite, `$2` is a named parameter, which may occur before `$1`: it is bound by its name.
        let named = statement.parameter_index(&format!("${number}"))?;
        let index = named.unwrap_or(number);
        match value {
            SqlValue::Null => statement.raw_bind_parameter(index, None::<i64>),
            SqlValue::Bool(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Integer(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Real(value) => statement.raw_bind_parameter(index, value),
            SqlValue::Text(value) => statement.raw_bind_parameter(index, value as &dyn ToSql),
            SqlValue::Bytes(value) => statement.raw_bind_parameter(index, value as &dyn ToSql),
        }?;
    }
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}
