//! What a store says when it cannot do what it was asked.

use crate::error_record::BoxError;
use crate::id::TemplateId;
use crate::json::beginning;

/// A store that cannot do what it was asked. Its text leaves out what caused it, which is the error's
/// [`source`](std::error::Error::source): [`chain`](crate::chain) tells both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL names no store.
    #[error(
        "`{url}` is not the URL of a store: write `sqlite://PATH`, `postgres://USER@HOST/DATABASE` or \
         `memory:`"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The store could not be opened.
    #[error("cannot open {what}")]
    Open {
        /// The file.
        what: String,
        /// What the system or the database said.
        source: BoxError,
    },
    /// The store was written by a newer version of this program.
    #[error("{what} has schema version {found}, and this program knows {known}: use a newer version of it")]
    Newer {
        /// The file.
        what: String,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Another process has held the store's lock for longer than this one waits.
    #[error("{what} is locked by another process")]
    Locked {
        /// The file.
        what: String,
        /// What the database said.
        source: BoxError,
    },
    /// The file is damaged.
    #[error("{what} is damaged; restore it from a backup")]
    Damaged {
        /// The file.
        what: String,
        /// What the database said.
        source: BoxError,
    },
    /// The database returned an error.
    #[error("{what} failed")]
    Database {
        /// The file.
        what: String,
        /// What the database said.
        source: BoxError,
    },
    /// A record that this version cannot read.
    #[error("the store holds a {what} that cannot be read: {value}")]
    Unreadable {
        /// The kind of record.
        what: &'static str,
        /// The stored value.
        value: String,
    },
    /// A record breaks a constraint of the database, or is larger than the database can hold.
    #[error("{what} refused a record")]
    Refused {
        /// The file.
        what: String,
        /// What the database said.
        source: BoxError,
    },
    /// The file has been removed, or replaced by another, while it was open.
    #[error("{what} has been removed or replaced while it was in use; nothing more is written to it")]
    Gone {
        /// The file.
        what: String,
    },
    /// The store does not have the task's template.
    #[error("template {0} is not in the store")]
    NoTemplate(TemplateId),
    /// A statement that a handler asked for cannot be run; nothing of the attempt was recorded.
    #[error("the statement `{sql}` of the step's transaction failed: {reason}")]
    Write {
        /// The statement.
        sql: String,
        /// What the database said.
        reason: String,
        /// Whether it may succeed when the step is tried again.
        passing: bool,
    },
    /// This store cannot create tasks in the caller's own transaction.
    #[error("only a PostgreSQL store creates tasks in the caller's own transaction; use `create_task`")]
    NoTransactions,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A record that this version cannot read, with what its value begins with.
    #[must_use]
    pub fn unreadable(what: &'static str, value: &impl ToString) -> Self {
        Self::Unreadable { what, value: beginning(&value.to_string()) }
    }

    /// Whether the error is permanent: repeating the operation gives the same error.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::NoTemplate(_)
                | Self::Newer { .. }
                | Self::Url { .. }
                | Self::Damaged { .. }
                | Self::Refused { .. }
                | Self::Gone { .. }
                | Self::NoTransactions
                | Self::Write { .. }
        )
    }
}
