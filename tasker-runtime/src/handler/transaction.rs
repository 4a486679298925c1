//! What a handler writes into the store's own database, together with its result.

use std::sync::{Arc, Mutex, PoisonError};

use tasker_store::{SqlValue, SqlWrite};

use crate::handler::step_error::StepError;
use crate::handler::{FromStep, StepContext};

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
/// use tasker::{Transaction, step_handler};
///
/// #[step_handler("Docs::PayOrder")]
/// async fn pay(#[input("order")] order: i64, #[input("cents")] cents: i64, transaction: Transaction) {
///     transaction.execute("UPDATE shop.orders SET paid = $2 WHERE number = $1", [order, cents]);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transaction(Arc<Mutex<Vec<SqlWrite>>>);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_kinds_are_taken() {
        let transaction = Transaction::default();
        let values: [SqlValue; 3] = [7.into(), "x".into(), None::<i64>.into()];
        transaction.execute("SELECT $1, $2, $3", values.clone());
        assert_eq!(transaction.take()[0].values, values);
        assert!(transaction.take().is_empty());
    }
}
