//! Where a store is, by its URL.

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::{MemoryStore, SqliteStore, Store, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Memory,
    File(PathBuf),
    /// With its URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        if ["memory:", "sqlite::memory:", "sqlite://:memory:"].contains(&url) {
            return Ok(Self::Memory);
        }
        if ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            #[cfg(feature = "postgres")]
            return Ok(Self::Postgres(url.to_owned()));
            #[cfg(not(feature = "postgres"))]
            return Err(StoreError::Open {
                what: "a PostgreSQL store".to_owned(),
                source: "this program was built without the feature `postgres` of tasker-runtime".into(),
            });
        }
        let path = url.strip_prefix("sqlite://").or(url.strip_prefix("sqlite:"));
        match path.filter(|path| !path.is_empty()) {
            Some(path) => Ok(Self::File(path.into())),
            None => Err(StoreError::Url { url: without_password(url) }),
        }
    }

    pub(crate) async fn open(self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::new())),
            // Opening migrates, which waits for the disk.
            Self::File(path) => Ok(Arc::new(blocking(move || SqliteStore::open(path)).await?)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Ok(Arc::new(crate::store::PostgresStore::open(&url).await?)),
        }
    }
}

/// What was given for a URL, without what may be a password.
fn without_password(url: &str) -> String {
    match (url.split_once(':'), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}:…@{place}"),
        _ => url.to_owned(),
    }
}

/// Runs what waits for the disk off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_told_without_the_password() {
        for (url, told) in [
            ("mysql://u:s3cr@h/db", "mysql:…@h/db"),
            ("POSTGRES://ada:s3@cr@h/db", "POSTGRES:…@h/db"),
            ("postgres:/ada:s3cr@h", "postgres:…@h"),
            ("orders.db", "orders.db"),
        ] {
            let error = Location::parse(url).unwrap_err().to_string();
            assert!(error.contains(&format!("`{told}`")), "{error}");
        }
    }
}
