//! Migrates the schema of a store, or plans the migration.

use tasker_store::{Migration, StoreError};

use crate::build::location::Location;

/// Brings the schema of the store at this URL up to date, or creates it. Run it with a role that may change
/// the schema, for programs whose role may not. Safe to run twice.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("tasker-doc-migrate-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let url = format!("sqlite://{}/t.db", directory.display());
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use tasker::store::{migrate, plan_migration};
/// let done = migrate(&url).await?;
/// assert_eq!((done.from, done.is_done()), (0, false));
/// assert!(plan_migration(&url).await?.is_done());
/// # Ok::<(), tasker::store::StoreError>(())
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
        #[cfg(feature = "sqlite")]
        Location::File(file) => tasker_store::blocking(move || tasker_sqlite::migrate(&file)).await,
        #[cfg(feature = "postgres")]
        Location::Postgres(url) => tasker_postgres::migrate(&url).await,
    }
}

/// The migration that [`migrate`] would run now. Changes nothing, and creates no file.
///
/// # Errors
///
/// When the store cannot be read, or is of a newer version.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let plan = tasker::store::plan_migration("sqlite://no-such-file.db").await?;
/// assert!(plan.sql.iter().any(|sql| sql.contains("CREATE TABLE task")));
/// # Ok::<(), tasker::store::StoreError>(())
/// # }).unwrap();
/// ```
pub async fn plan_migration(url: &str) -> Result<Migration, StoreError> {
    match Location::parse(url)? {
        Location::Memory => Ok(nothing_to_do()),
        #[cfg(feature = "sqlite")]
        Location::File(file) => tasker_store::blocking(move || tasker_sqlite::plan_migration(&file)).await,
        #[cfg(feature = "postgres")]
        Location::Postgres(url) => tasker_postgres::plan_migration(&url).await,
    }
}

/// A store in memory has no schema.
fn nothing_to_do() -> Migration {
    Migration::new("memory:".to_owned(), 0, 0, Vec::new())
}
