//! Brings the schema of a store up to date, and says beforehand what that takes.

use serde::Serialize;

use crate::store::location::{Location, blocking};
use crate::store::{SqliteStore, StoreError};

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
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.sql.is_empty()
    }
}

/// Brings the schema of the store at this URL up to date, and creates it where there is none: what a
/// program with the right to do so does for those that have it not. Safe to run twice.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("tasker-doc-migrate-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let url = format!("sqlite://{}/t.db", directory.display());
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use tasker_runtime::store::{migrate, plan_migration};
/// let done = migrate(&url).await?;
/// assert_eq!((done.from, done.is_done()), (0, false));
/// assert!(plan_migration(&url).await?.is_done());
/// # Ok::<(), tasker_runtime::StoreError>(())
/// # }).unwrap();
/// # std::fs::remove_dir_all(directory).unwrap();
/// ```
///
/// # Errors
///
/// When the store cannot be opened, is of a newer version, or the role may not change its schema.
pub async fn migrate(url: &str) -> Result<Migration, StoreError> {
    match Location::parse(url)? {
        Location::Memory => Ok(nothing_to_do()),
        Location::File(path) => blocking(move || SqliteStore::migrate(&path)).await,
        #[cfg(feature = "postgres")]
        Location::Postgres(url) => crate::store::postgres::migrate(&url).await,
    }
}

/// What [`migrate`] would do now. Changes nothing, and creates no file.
///
/// # Errors
///
/// When the store cannot be read, or is of a newer version.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let plan = tasker_runtime::store::plan_migration("sqlite://no-such-file.db").await?;
/// assert!(plan.sql.iter().any(|sql| sql.contains("CREATE TABLE task")));
/// # Ok::<(), tasker_runtime::StoreError>(())
/// # }).unwrap();
/// ```
pub async fn plan_migration(url: &str) -> Result<Migration, StoreError> {
    match Location::parse(url)? {
        Location::Memory => Ok(nothing_to_do()),
        Location::File(path) => blocking(move || SqliteStore::plan_migration(&path)).await,
        #[cfg(feature = "postgres")]
        Location::Postgres(url) => crate::store::postgres::plan_migration(&url).await,
    }
}

/// What lives in memory has no schema.
fn nothing_to_do() -> Migration {
    Migration { store: "memory:".to_owned(), from: 0, to: 0, sql: Vec::new() }
}
