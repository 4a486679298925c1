//! Errors of PostgreSQL: what they mean for whoever sent the statement, and in the store's terms.

use std::time::Duration;

use tasker_store::{StoreError, chain};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::tls;

/// Why an operation on the database failed.
#[derive(Debug)]
pub(crate) enum PgError {
    /// The server refused a statement, or the connection to it was lost.
    Database(tokio_postgres::Error),
    /// A row cannot be read, or a value cannot be written.
    Store(StoreError),
    /// The server has not answered for this long. Whatever was sent may have been done, or may yet be.
    NoAnswer(Duration),
}

pub(crate) type PgResult<T> = Result<T, PgError>;

impl PgError {
    /// In the store's terms; `store` is what people call the store.
    pub(crate) fn into_store_error(self, store: &str) -> StoreError {
        match self {
            Self::Database(error) => store_error(error, store),
            Self::Store(error) => error,
            Self::NoAnswer(timeout) => {
                let reason = format!("the server has not answered for {} s", timeout.as_secs_f64());
                StoreError::Database { what: store.to_owned(), source: reason.into() }
            }
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
        SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => {
            "; a proxy that keeps no prepared statements needs `prepared=false` in the URL"
        }
        _ => "",
    };
    StoreError::Database { what, source: format!("{}{hint}", server_message(&error)).into() }
}

/// The server's message with its code; for an error of the client, its text.
pub(crate) fn server_message(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| chain(error), |error| format!("{} ({})", error.message(), error.code().code()))
}

/// Whether a statement of the application's own would fail the same way when it is run again, because of
/// its data, its syntax, or a limit of the server.
pub(crate) fn is_permanent(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| is_class_of(state, &["22", "23", "42", "54"]))
}

/// Whether the same statement may well succeed when it is sent again.
pub(crate) fn is_transient(error: &PgError) -> bool {
    let PgError::Database(error) = error else { return false };
    let transient = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|state| transient.contains(state))
}

/// Whether the server has given up a statement that took too long, or that waited for a lock for too long.
pub(crate) fn is_given_up(error: &PgError) -> bool {
    let PgError::Database(error) = error else { return false };
    let given_up = [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE];
    error.code().is_some_and(|state| given_up.contains(state))
}

/// Whether the connection is of no more use, so that the last statement is in doubt: it may have been
/// executed.
pub(crate) fn is_connection_lost(error: &PgError, client: &Client) -> bool {
    match error {
        PgError::NoAnswer(_) => true,
        PgError::Store(_) => client.is_closed(),
        PgError::Database(error) => {
            // An error that is not the server's is one of the network.
            let told = error.as_db_error().map(|told| ends_connection(told.code(), told.message()));
            client.is_closed() || error.is_closed() || told.unwrap_or(error.code().is_none())
        }
    }
}

/// Whether the server will refuse whatever else is sent on the connection, or cannot be relied on to do it.
fn ends_connection(state: &SqlState, message: &str) -> bool {
    /// A failover can leave connections that are only good for reading.
    const READ_ONLY: &[&str] = &["25006"];
    /// The protocol is out of step, or the server closes the connection: it shuts down, or is told to.
    const CLOSING: &[&str] = &["08", "57P", "53300"];
    /// Prepared statements are gone or are others' (a proxy has changed servers behind the connection), or the
    /// connection is in another state of a transaction than it is known to be in.
    const OUT_OF_STEP: &[&str] = &["26000", "42P05", "25001", "25P01", "25P02", "25P03"];
    // A statement was prepared before a column was changed. It fails until it is prepared once more.
    let outdated_plan = *state == SqlState::FEATURE_NOT_SUPPORTED && message.contains("cached plan");
    outdated_plan || [READ_ONLY, CLOSING, OUT_OF_STEP].iter().any(|states| is_class_of(state, states))
}

fn is_class_of(state: &SqlState, classes: &[&str]) -> bool {
    classes.iter().any(|class| state.code().starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_that_makes_a_connection_useless_ends_it() {
        let others = "cached plan must not change result type";
        for (state, message, ends) in [
            (SqlState::READ_ONLY_SQL_TRANSACTION, "", true),
            (SqlState::CONNECTION_FAILURE, "", true),
            (SqlState::PROTOCOL_VIOLATION, "", true),
            (SqlState::ADMIN_SHUTDOWN, "", true),
            (SqlState::CRASH_SHUTDOWN, "", true),
            (SqlState::CANNOT_CONNECT_NOW, "", true),
            (SqlState::DATABASE_DROPPED, "", true),
            (SqlState::TOO_MANY_CONNECTIONS, "", true),
            (SqlState::INVALID_SQL_STATEMENT_NAME, "", true),
            (SqlState::DUPLICATE_PSTATEMENT, "", true),
            (SqlState::ACTIVE_SQL_TRANSACTION, "", true),
            (SqlState::NO_ACTIVE_SQL_TRANSACTION, "", true),
            (SqlState::IN_FAILED_SQL_TRANSACTION, "", true),
            (SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, "", true),
            (SqlState::FEATURE_NOT_SUPPORTED, others, true),
            (SqlState::FEATURE_NOT_SUPPORTED, "another", false),
            (SqlState::T_R_SERIALIZATION_FAILURE, "", false),
            (SqlState::T_R_DEADLOCK_DETECTED, "", false),
            (SqlState::LOCK_NOT_AVAILABLE, "", false),
            (SqlState::QUERY_CANCELED, "", false),
            (SqlState::OUT_OF_MEMORY, "", false),
            (SqlState::DISK_FULL, "", false),
            (SqlState::UNTRANSLATABLE_CHARACTER, "", false),
            (SqlState::UNDEFINED_TABLE, "", false),
        ] {
            assert_eq!(ends_connection(&state, message), ends, "{}", state.code());
        }
    }
}
