//! Conversion of values to and from SQLite.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use tasker_store::{Json, StepKey};
use uuid::Uuid;

use crate::error::{Result, unreadable};

pub(crate) fn blob(id: &Uuid) -> &[u8] {
    id.as_bytes().as_slice()
}

pub(crate) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// Reads a run's key from two columns: the step, and after it the instance.
pub(crate) fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<StepKey> {
    Ok(StepKey { step: row.get(column)?, instance: row.get(column + 1)? })
}

pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("time", micros))
}

/// A column's text for whoever looks at it, whatever the column holds.
pub(crate) fn any_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    })
}

/// A column's JSON for whoever looks at it, whatever the column holds.
pub(crate) fn any_json(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Json>> {
    Ok(any_text(row, column)?.map(Json::unchecked))
}

pub(crate) fn json(text: String) -> Result<Json> {
    Json::from_text(text).map_err(|error| unreadable("JSON value", error))
}
