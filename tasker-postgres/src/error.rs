//! Errors of PostgreSQL: what they mean for whoever sent the statement, and in the store's terms.

use tasker_store::StoreError;
use tokio_postgres::error::SqlState;

use crate::tls;

/// Why an operation on the database failed.
#[derive(Debug)]
pub(crate) enum PgError {
    /// The server refused a statement, or the connection to it was lost.
    Database(tokio_postgres::Error),
    /// A row cannot be read, or a value cannot be written.
    Store(StoreError),
}

pub(crate) type PgResult<T> = Result<T, PgError>;

impl PgError {
    /// In the store's terms; `store` is what people call the store.
    pub(crate) fn into_store_error(self, store: &str) -> StoreError {
        match self {
            Self::Database(error) => store_error(error, store),
            Self::Store(error) => error,
        }
    }
}

impl From<tokio_postgres::Error> for PgError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for PgError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// An error of the database in the store's terms; `store` is what people call the store.
pub(crate) fn store_error(error: tokio_postgres::Error, store: &str) -> StoreError {
    let what = store.to_owned();
    let Some(state) = error.code() else {
        let source = tls::explain(&error).map_or_else(|| error.into(), Into::into);
        return StoreError::Database { what, source };
    };
    if is_class_of(state, &["22", "23", "54"]) {
        return StoreError::Refused { what, source: server_message(&error).into() };
    }
    let hint = match *state {
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => "; has its schema been removed?",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "; grant the role what docs/scaling.md lists, or migrate with another"
        }
        SqlState::TOO_MANY_CONNECTIONS => "; `connections=N` in the URL sets how many a process opens",
        _ => "",
    };
    StoreError::Database { what, source: format!("{}{hint}", server_message(&error)).into() }
}

/// The server's message with its code; for an error of the client, its text.
pub(crate) fn server_message(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| format!("{} ({})", error.message(), error.code().code()))
}

/// Whether a statement of the application's own would fail the same way when it is run again, because of
/// its data, its syntax, or a limit of the server.
pub(crate) fn is_permanent(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| is_class_of(state, &["22", "23", "42", "54"]))
}

/// Whether the same statement may well succeed when it is sent again.
pub(crate) fn is_transient(error: &tokio_postgres::Error) -> bool {
    let transient = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|state| transient.contains(state))
}

/// Whether the connection is lost, so that the last statement is in doubt: it may have been executed.
pub(crate) fn is_connection_lost(error: &tokio_postgres::Error, client: &tokio_postgres::Client) -> bool {
    let refused = error
        .code()
        .is_some_and(|state| is_class_of(state, &["57P", "08"]) || *state == SqlState::TOO_MANY_CONNECTIONS);
    client.is_closed()
        || error.is_closed()
        || error.code().is_none() && error.as_db_error().is_none()
        || refused
}

fn is_class_of(state: &SqlState, classes: &[&str]) -> bool {
    classes.iter().any(|class| state.code().starts_with(class))
}
