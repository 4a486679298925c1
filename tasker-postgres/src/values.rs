//! Conversions between our values and PostgreSQL's.

use std::fmt;
use std::str::FromStr;

use bytes::BytesMut;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tasker_store::{Json, StepKey, StoreError};
use tasker_template::StepIndex;
use tokio_postgres::Row;
use tokio_postgres::row::RowIndex;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// The value of a column, which is named by its name or its place.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: impl RowIndex + fmt::Display) -> Result<T> {
    row.try_get(column).map_err(|error| unreadable("column", error))
}

/// A number that is never negative.
pub(crate) fn number(row: &Row, column: &str) -> Result<u32> {
    let number: i32 = get(row, column)?;
    u32::try_from(number).map_err(|_| unreadable("number", number))
}

/// A number as the value of an `integer` column. Beyond its range it is the largest there is.
pub(crate) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(crate) fn time(row: &Row, column: &str) -> Result<Timestamp> {
    get::<Time>(row, column).map(|time| time.0)
}

/// A time, or `None` for NULL.
pub(crate) fn maybe_time(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    Ok(get::<Option<Time>>(row, column)?.map(|time| time.0))
}

/// A column's text as one of the words of a state; `what` names the column in the error for other texts.
pub(crate) fn word<T: FromStr>(row: &Row, column: &str, what: &'static str) -> Result<T> {
    let word: &str = get(row, column)?;
    word.parse().map_err(|_| unreadable(what, word))
}

/// A column's JSON text as a value of ours, or `None` for NULL; `what` names it in the error.
pub(crate) fn maybe_json<T: DeserializeOwned>(
    row: &Row,
    column: &str,
    what: &'static str,
) -> Result<Option<T>> {
    let Some(text) = get::<Option<&str>>(row, column)? else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|_| unreadable(what, text))
}

/// A list of steps, or `None` for NULL.
pub(crate) fn maybe_steps(row: &Row, column: &str) -> Result<Option<Vec<StepIndex>>> {
    let Some(numbers) = get::<Option<Vec<i32>>>(row, column)? else { return Ok(None) };
    let steps = numbers.iter().map(|number| u32::try_from(*number));
    steps
        .collect::<std::result::Result<_, _>>()
        .map(Some)
        .map_err(|_| unreadable("list of steps", format!("{numbers:?}")))
}

/// A list of runs.
pub(crate) fn runs(row: &Row, column: &str) -> Result<Vec<StepKey>> {
    let numbers: Vec<i32> = get(row, column)?;
    let wide: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
    StepKey::from_numbers(&wide).ok_or_else(|| unreadable("list of runs", format!("{numbers:?}")))
}

/// A time, which PostgreSQL sends as microseconds since the year 2000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

/// 2000-01-01T00:00:00Z, in microseconds of Unix time.
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

/// A column's JSON for whoever looks at it, whatever form it has.
pub(crate) fn any_json(row: &Row, column: &str) -> Result<Option<Json>> {
    Ok(get::<Option<String>>(row, column)?.map(Json::unchecked))
}

pub(crate) fn json(text: &str) -> Result<Json> {
    Json::from_text(text.to_owned()).map_err(|error| unreadable("JSON value", error))
}

/// A list of numbers as the text of an array, or `None` when it is empty: an array of parameters cannot
/// hold arrays of several lengths.
pub(crate) fn array(numbers: &[u32]) -> Option<String> {
    if numbers.is_empty() {
        return None;
    }
    Some(self::numbers(numbers))
}

/// A list of numbers as the text of an array.
pub(crate) fn numbers(numbers: &[impl ToString]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// A value of ours as the text of a JSON column; `what` names it in the error.
pub(crate) fn json_text(what: &'static str, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable(what, error))
}

/// The error for a value that this version cannot read.
pub(crate) fn unreadable(what: &'static str, value: impl ToString) -> StoreError {
    StoreError::unreadable(what, &value)
}
