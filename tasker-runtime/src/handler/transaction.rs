//! What a handler writes into the store's own database, together with its result.

use std::sync::{Arc, Mutex, PoisonError};

use crate::handler::{FromStep, StepContext};
use crate::step_error::StepError;

/// Statements that are committed together with the step's result: both are there, or neither, however
/// often the step is tried. Take it as a parameter.
///
/// They run in order when the handler has returned, in the transaction that records its result, so that
/// no connection waits for the handler. One that fails fails the attempt, permanently unless it was in
/// another transaction's way. What an attempt has asked for that fails, or whose claim was lost, is
/// not done.
///
/// The tables are the application's own, in the database of the store: PostgreSQL (values are `$1`,
/// `$2`, …; name tables with their schema) or the SQLite file (`$1` or `?1`). A store in memory
/// has none, and refuses.
///
/// ```
/// use tasker_runtime::{Transaction, step_handler};
///
/// #[step_handler("Docs::PayOrder")]
/// async fn pay(#[input("order")] order: i64, #[input("cents")] cents: i64, transaction: Transaction) {
///     transaction.execute("UPDATE shop.orders SET paid = $2 WHERE number = $1", [order, cents]);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transaction(Arc<Mutex<Vec<SqlWrite>>>);

/// A statement with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlWrite {
    /// The statement.
    pub sql: String,
    /// Its values, the first for `$1`.
    pub values: Vec<SqlValue>,
}

/// A value of a statement. PostgreSQL reads a text as whatever type stands there: a number, a time, an
/// id, JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SqlValue {
    /// None.
    Null,
    /// A truth value; 0 or 1 in SQLite.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Transaction {
    /// Adds a statement.
    pub fn execute<V: Into<SqlValue>>(&self, sql: impl Into<String>, values: impl IntoIterator<Item = V>) {
        let write = SqlWrite { sql: sql.into(), values: values.into_iter().map(Into::into).collect() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// What has been asked for; later additions have no effect.
    pub(crate) fn take(&self) -> Vec<SqlWrite> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FromStep for Transaction {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        Ok(context.transaction().clone())
    }
}

impl SqlWrite {
    /// Whether it would end the transaction that it runs in.
    pub(crate) fn controls_transaction(&self) -> bool {
        const WORDS: [&str; 9] =
            ["abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start"];
        let word: String = self.sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        WORDS.contains(&word.to_ascii_lowercase().as_str())
    }
}

macro_rules! from {
    ($($kind:ty => |$value:ident| $make:expr;)*) => {
        $(
            impl From<$kind> for SqlValue {
                fn from($value: $kind) -> Self {
                    $make
                }
            }
        )*
    };
}

from! {
    bool => |value| Self::Bool(value);
    i16 => |value| Self::Integer(value.into());
    i32 => |value| Self::Integer(value.into());
    i64 => |value| Self::Integer(value);
    u16 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    f64 => |value| Self::Real(value);
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    Vec<u8> => |value| Self::Bytes(value);
    uuid::Uuid => |value| Self::Text(value.to_string());
    jiff::Timestamp => |value| Self::Text(value.to_string());
    serde_json::Value => |value| Self::Text(value.to_string());
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_transaction_is_recognized() {
        let write = |sql: &str| SqlWrite { sql: sql.to_owned(), values: Vec::new() };
        assert!(write("  Commit;").controls_transaction());
        assert!(write("ROLLBACK TO x").controls_transaction());
        assert!(!write("INSERT INTO commits VALUES (1)").controls_transaction());
    }

    #[test]
    fn values_of_several_kinds_are_taken() {
        let transaction = Transaction::default();
        let values: [SqlValue; 3] = [7.into(), "x".into(), None::<i64>.into()];
        transaction.execute("SELECT $1, $2, $3", values.clone());
        assert_eq!(transaction.take()[0].values, values);
        assert!(transaction.take().is_empty());
    }
}
