//! Where tasks are kept: the stores, and how their schemas are brought up to date.

pub use crate::build::migration::{migrate, plan_migration};
#[cfg(feature = "postgres")]
pub use tasker_postgres::{Executor, PostgresStore};
#[cfg(feature = "sqlite")]
pub use tasker_sqlite::SqliteStore;
pub use tasker_store::{MemoryStore, Migration, Store, StoreError};
