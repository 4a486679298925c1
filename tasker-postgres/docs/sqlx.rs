use sqlx::{Executor as _, Postgres, Transaction};
use tasker::error::BoxError;
use tasker::store::Executor;

/// A transaction of sqlx 0.8, in which tasks are created.
pub struct InSqlx<'a, 'c>(pub &'a mut Transaction<'c, Postgres>);

#[async_trait::async_trait]
impl Executor for InSqlx<'_, '_> {
    async fn execute(&mut self, sql: &str) -> Result<u64, BoxError> {
        let connection: &mut sqlx::PgConnection = self.0;
        Ok(connection.execute(sql).await?.rows_affected())
    }
}
