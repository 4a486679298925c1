//! What a store's schema is at, and what takes it to the newest version.

use serde::Serialize;

/// What a store's schema is or was at, and what takes it to the version that this program has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Migration {
    /// The store, as people call it.
    pub store: String,
    /// The version of its schema; 0 when it has none.
    pub from: i64,
    /// The newest version that this program knows.
    pub to: i64,
    /// What takes the one to the other; nothing when they are the same.
    pub sql: Vec<String>,
}

impl Migration {
    /// A migration of this store from one version to another by these statements.
    #[must_use]
    pub fn new(store: String, from: i64, to: i64, sql: Vec<String>) -> Self {
        Self { store, from, to, sql }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.sql.is_empty()
    }
}
