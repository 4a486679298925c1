//! The migration of a store's schema.

use serde::Serialize;

/// The migration of a store's schema, from the version that it had to the version of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Migration {
    /// The name of the store in messages.
    pub store: String,
    /// The version of its schema; 0 when it has none.
    pub from: i64,
    /// The newest version that this program knows.
    pub to: i64,
    /// The statements from the one version to the other; empty when the versions are the same.
    pub sql: Vec<String>,
}

impl Migration {
    /// A migration of this store from one version to another by these statements.
    #[must_use]
    pub fn new(store: String, from: i64, to: i64, sql: Vec<String>) -> Self {
        Self { store, from, to, sql }
    }

    /// Whether the schema is up to date already.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.sql.is_empty()
    }
}
