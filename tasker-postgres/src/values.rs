//! Our values as PostgreSQL keeps them, and back; and its errors as ours.

use bytes::BytesMut;
use jiff::Timestamp;
use tasker_store::{Json, StoreError};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::tls;

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// A column's value.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|error| unreadable("column", error))
}

/// A number that is never negative.
pub(crate) fn number(row: &Row, column: usize) -> Result<u32> {
    let number: i32 = get(row, column)?;
    u32::try_from(number).map_err(|_| unreadable("number", number))
}

/// A number as it is kept.
pub(crate) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(crate) fn time(row: &Row, column: usize) -> Result<Timestamp> {
    get::<Time>(row, column).map(|time| time.0)
}

/// A time where there may be none.
pub(crate) fn maybe_time(row: &Row, column: usize) -> Result<Option<Timestamp>> {
    Ok(get::<Option<Time>>(row, column)?.map(|time| time.0))
}

/// A time as PostgreSQL sends it: microseconds since the year 2000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

/// 2000-01-01T00:00:00Z.
const EPOCH: i64 = 946_684_800_000_000;

type Conversion<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl<'a> FromSql<'a> for Time {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Conversion<Self> {
        let micros = i64::from_sql(kind, raw)?.checked_add(EPOCH).ok_or("a time out of range")?;
        Ok(Self(Timestamp::from_microsecond(micros)?))
    }

    accepts!(TIMESTAMPTZ);
}

impl ToSql for Time {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Conversion<IsNull> {
        (self.0.as_microsecond() - EPOCH).to_sql(kind, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

pub(crate) fn json(text: &str) -> Result<Json> {
    Json::from_text(text.to_owned()).map_err(|error| unreadable("JSON value", error))
}

/// A list of numbers in the form of an array, for a column of an array of rows.
pub(crate) fn array(numbers: &[u32]) -> Option<String> {
    if numbers.is_empty() {
        return None;
    }
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Some(format!("{{{}}}", numbers.join(",")))
}

/// The error for a value that this version cannot read.
pub(crate) fn unreadable(what: &'static str, value: impl ToString) -> StoreError {
    StoreError::Unreadable { what, value: value.to_string() }
}

/// What the database said, in our terms.
pub(crate) fn failed(error: tokio_postgres::Error, what: &str) -> StoreError {
    let what = what.to_owned();
    let Some(state) = error.code() else {
        let source = tls::explain(&error).map_or_else(|| error.into(), Into::into);
        return StoreError::Database { what, source };
    };
    if ["22", "23", "54"].iter().any(|class| state.code().starts_with(class)) {
        return StoreError::Refused { what, source: said(&error).into() };
    }
    let hint = match *state {
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => "; has its schema been removed?",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "; grant the role what docs/scaling.md lists, or migrate with another"
        }
        SqlState::TOO_MANY_CONNECTIONS => "; `connections=N` in the URL sets how many a process opens",
        _ => "",
    };
    StoreError::Database { what, source: format!("{}{hint}", said(&error)).into() }
}

/// The server's message, without the words around it.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| format!("{} ({})", error.message(), error.code().code()))
}

/// Whether a statement of the application's own comes to the same when it is run again: its data, its
/// words, and what it may do stay as they are.
pub(crate) fn is_lasting(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(SqlState::code).unwrap_or_default();
    ["22", "23", "42", "54"].iter().any(|class| code.starts_with(class))
}

/// Whether the same statement may well succeed if it is sent again.
pub(crate) fn is_passing(error: &tokio_postgres::Error) -> bool {
    let passing = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|state| passing.contains(state))
}

/// Whether the connection is of no more use, so that what was sent last may or may not have been done.
pub(crate) fn is_broken(error: &tokio_postgres::Error, client: &tokio_postgres::Client) -> bool {
    let ended = error.code().is_some_and(|state| {
        state.code().starts_with("57P")
            || state.code().starts_with("08")
            || *state == SqlState::TOO_MANY_CONNECTIONS
    });
    client.is_closed()
        || error.is_closed()
        || error.code().is_none() && error.as_db_error().is_none()
        || ended
}
