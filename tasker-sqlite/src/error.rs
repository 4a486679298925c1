//! The errors of SQLite as errors of the store.

use std::path::Path;

use rusqlite::ErrorCode;
use tasker_store::StoreError;

pub(crate) type Result<T> = std::result::Result<T, SqliteError>;

/// An error before the name of the file is added to it.
#[derive(Debug)]
pub(crate) enum SqliteError {
    /// SQLite returned an error.
    Sqlite(rusqlite::Error),
    /// A record cannot be read or written, or the operation is refused.
    Store(StoreError),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
        };
        match error {
            // The statement is right, and a value in the file is none that is ever written.
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | Utf8Error(..) => unreadable("value", error),
            error => Self::Sqlite(error),
        }
    }
}

impl From<StoreError> for SqliteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl SqliteError {
    /// The store's error, with the name of the file.
    pub(crate) fn of(self, path: &Path) -> StoreError {
        let error = match self {
            Self::Sqlite(error) => error,
            Self::Store(error) => return error,
        };
        let (what, code) = (path.display().to_string(), error.sqlite_error_code());
        let source = error.into();
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { what, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { what, source }
            }
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
                StoreError::Refused { what, source }
            }
            _ => StoreError::Database { what, source },
        }
    }
}

pub(crate) fn cannot_open(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Open { what: path.display().to_string(), source: source.into() }
}

/// The error for a file that SQLite cannot open, with advice.
pub(crate) fn sqlite_cannot_open(path: &Path, source: rusqlite::Error) -> StoreError {
    let way_out = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DatabaseCorrupt) => {
            return SqliteError::from(source).of(path);
        }
        Some(ErrorCode::NotADatabase) => "choose another path, or restore it from a backup",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "this user must be able to write it and its directory"
        }
        _ => return cannot_open(path, source),
    };
    cannot_open(path, format!("{source}; {way_out}"))
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The error for a value that this version cannot read.
pub(crate) fn unreadable(what: &'static str, value: impl ToString) -> SqliteError {
    SqliteError::Store(StoreError::unreadable(what, &value))
}
