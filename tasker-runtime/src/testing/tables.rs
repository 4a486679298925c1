//! Runs whose handlers have tables of their own, in a SQLite file.

use std::sync::Arc;

use tasker_sqlite::SqliteStore;
use tasker_store::{SqlValue, chain};

use crate::testing::test_engine::TestEngine;
use crate::testing::test_run::TestRun;

impl TestEngine {
    /// Keeps each run in a SQLite file of its own, with tables of the application's that these statements
    /// create. What handlers add to [`ResultWrites`](crate::ResultWrites) is committed there as in production;
    /// [`TestRun::rows`] tells what there is in the end. Time is virtual here too, and the file is removed with
    /// the run.
    ///
    /// ```
    /// use tasker::{ResultWrites, step_handler, testing::TestEngine};
    ///
    /// #[step_handler("Docs::SettleBill")]
    /// async fn settle(#[input("bill")] bill: i64, writes: ResultWrites) {
    ///     writes.add("INSERT INTO paid (bill) VALUES ($1)", [bill]);
    /// }
    ///
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: settle, handler: {callable: 'Docs::SettleBill'}}]}";
    /// let engine = TestEngine::template_str("bills.yaml", TEMPLATE)
    ///     .tables("CREATE TABLE paid (bill INTEGER PRIMARY KEY)");
    /// engine.crash_everywhere_blocking(serde_json::json!({ "bill": 7 }), |run| {
    ///     run.assert_complete();
    ///     assert_eq!(run.rows("SELECT bill FROM paid"), [[7.into()]]);
    /// });
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub fn tables(mut self, sql: impl Into<String>) -> Self {
        self.tables.push((None, sql.into()));
        self
    }

    /// As [`tables`](Self::tables), for tables that statements name with a schema, such as `shop.orders`: of a
    /// file that is attached in production, or of PostgreSQL.
    ///
    /// ```
    /// # use tasker::{ResultWrites, step_handler, testing::TestEngine};
    /// #[step_handler("Docs::Order")]
    /// async fn order(writes: ResultWrites) {
    ///     writes.add("INSERT INTO shop.orders VALUES ($1)", ["book"]);
    /// }
    ///
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: order, handler: {callable: 'Docs::Order'}}]}";
    /// let engine = TestEngine::template_str("orders.yaml", TEMPLATE)
    ///     .tables_in("shop", "CREATE TABLE orders (what TEXT)");
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// assert_eq!(run.rows("SELECT what FROM shop.orders"), [["book".into()]]);
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub fn tables_in(mut self, schema: impl Into<String>, sql: impl Into<String>) -> Self {
        self.tables.push((Some(schema.into()), sql.into()));
        self
    }

    /// A new file for one run; `None` when the test has no tables.
    pub(super) fn file(&self) -> Option<Arc<SqliteStore>> {
        let store = (!self.tables.is_empty()).then(|| SqliteStore::temporary(&self.tables))?;
        Some(Arc::new(store.unwrap_or_else(|error| panic!("the tables of the test: {}", chain(&error)))))
    }
}

impl TestRun {
    /// The rows that a statement gives, when the run has ended. For an engine with
    /// [`tables`](TestEngine::tables).
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    /// let run = engine.tables("CREATE TABLE stock (item TEXT)").run_blocking(serde_json::json!({}));
    /// assert!(run.rows("SELECT * FROM stock").is_empty());
    /// ```
    ///
    /// # Panics
    ///
    /// When the statement fails, or the engine was given no tables.
    #[track_caller]
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Vec<SqlValue>> {
        let Some(file) = &self.file else {
            panic!("`{sql}`: the engine has no tables; give it some with `.tables(…)`")
        };
        file.rows(sql).unwrap_or_else(|error| panic!("`{sql}`: {}", chain(&error)))
    }
}
