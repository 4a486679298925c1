//! Our values as SQLite keeps them, and back.

use jiff::Timestamp;
use rusqlite::Row;
use uuid::Uuid;

use crate::json::Json;
use crate::store::StoreError;

pub(super) type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn blob(id: &Uuid) -> &[u8] {
    id.as_bytes().as_slice()
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("time", micros))
}

pub(super) fn json(text: String) -> Result<Json> {
    Json::from_text(text).map_err(|error| unreadable("JSON value", error))
}

/// The error for a value that this version cannot read.
pub(super) fn unreadable(what: &'static str, value: impl ToString) -> StoreError {
    StoreError::Unreadable { what, value: value.to_string() }
}
