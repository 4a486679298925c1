//! Where tasks are kept: the stores, and how their schemas are brought up to date.

pub use crate::build::migration::{migrate, plan_migration};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use tasker_postgres::{Executor, PostgresStore};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use tasker_sqlite::{SqliteOptions, SqliteStore};
pub use tasker_store::{MemoryStore, Migration, StoreError};

/// The contract that a store of your own implements, `Store`, with its records. **Exempt from semantic
/// versioning**: it changes with the engine, also in patch releases.
///
/// Implement `sealed::Sealed` for your type as well, and run the conformance suite of `tasker-store`.
#[cfg(feature = "unstable-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "unstable-store")))]
pub use tasker_store as unstable;
