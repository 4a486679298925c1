//! A handler's own statements in the store's database, committed together with its result.

use std::sync::{Arc, Mutex, PoisonError};

use tasker_store::{SqlValue, SqlWrite};

use crate::handler::step_error::StepError;
use crate::handler::{FromStep, StepContext};

/// SQL statements that are committed together with the step's result, exactly once however often the step is
/// tried. Take it as a parameter.
///
/// The statements run in order after the handler has returned, in the transaction that records its result, so
/// that no connection is held while the handler runs. When a statement fails, so does the attempt:
/// permanently, unless the cause is a conflict with another transaction. The statements of an attempt that
/// fails, or whose claim no longer holds, are dropped.
///
/// The tables are the application's own, and it creates them before its worker starts. They are in the
/// database of the store: PostgreSQL (values are `$1`, `$2`, …; name tables with their schema) or the SQLite
/// file (`$1` or `?1`), which may be the application's (`sqlite://PATH?share=true`). Of a file that is attached
/// to the SQLite file (`?attach=NAME:PATH`), see `SqliteOptions::attach` for what a crash can do. A store in
/// memory has no tables, and fails such an attempt.
///
/// ```
/// use tasker::{ResultWrites, step_handler};
///
/// #[step_handler("Docs::PayOrder")]
/// async fn pay(#[input("order")] order: i64, #[input("cents")] cents: i64, writes: ResultWrites) {
///     writes.add("UPDATE shop.orders SET paid = $2 WHERE number = $1", [order, cents]);
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResultWrites(Arc<Mutex<Vec<SqlWrite>>>);

impl ResultWrites {
    /// Adds a statement, which runs when the result is recorded.
    pub fn add<V: Into<SqlValue>>(&self, sql: impl Into<String>, values: impl IntoIterator<Item = V>) {
        let write = SqlWrite { sql: sql.into(), values: values.into_iter().map(Into::into).collect() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// The statements that have been added, in order.
    ///
    /// ```
    /// # use tasker::ResultWrites;
    /// let writes = ResultWrites::default();
    /// writes.add("DELETE FROM carts WHERE id = $1", [7]);
    /// assert_eq!(writes.statements()[0].values, [7.into()]);
    /// ```
    #[must_use]
    pub fn statements(&self) -> Vec<SqlWrite> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the statements added so far. Statements that are added later have no effect.
    pub(crate) fn take(&self) -> Vec<SqlWrite> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FromStep for ResultWrites {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        Ok(context.writes().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_kinds_are_taken() {
        let writes = ResultWrites::default();
        let values: [SqlValue; 3] = [7.into(), "x".into(), None::<i64>.into()];
        writes.add("SELECT $1, $2, $3", values.clone());
        assert_eq!(writes.take()[0].values, values);
        assert!(writes.take().is_empty());
    }
}
