//! The location of a store, parsed from its URL.

use std::sync::Arc;

use tasker_store::{MemoryStore, Store, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Memory,
    #[cfg(feature = "sqlite")]
    File(tasker_sqlite::SqliteOptions),
    /// With its URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        // Such as the line break at the end of a file that the URL was read from.
        if url.chars().any(char::is_control) || url.trim() != url {
            return Err(StoreError::Url { url: without_password(url).escape_debug().to_string() });
        }
        if ["memory:", "sqlite::memory:", "sqlite://:memory:"].contains(&url) {
            return Ok(Self::Memory);
        }
        if ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            #[cfg(feature = "postgres")]
            return Ok(Self::Postgres(url.to_owned()));
            #[cfg(not(feature = "postgres"))]
            return Err(left_out("a PostgreSQL store", "postgres"));
        }
        let path = url.strip_prefix("sqlite://").or(url.strip_prefix("sqlite:"));
        match path.filter(|path| !path.is_empty()) {
            #[cfg(feature = "sqlite")]
            Some(_) => tasker_sqlite::SqliteOptions::from_url(url).map(Self::File),
            #[cfg(not(feature = "sqlite"))]
            Some(_) => Err(left_out("a SQLite store", "sqlite")),
            None => Err(StoreError::Url { url: without_password(url) }),
        }
    }

    pub(crate) async fn open(self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::new())),
            // Opening migrates, which waits for the disk.
            #[cfg(feature = "sqlite")]
            Self::File(options) => Ok(Arc::new(tasker_store::blocking(move || options.open()).await?)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Ok(Arc::new(tasker_postgres::PostgresStore::open(&url).await?)),
        }
    }
}

/// The error for a kind of store whose feature is off in this program.
#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn left_out(what: &str, feature: &str) -> StoreError {
    let source = format!(
        "this program was built without it; add the feature `{feature}` of tasker (or tasker-runtime)"
    );
    StoreError::Open { what: what.to_owned(), source: source.into() }
}

/// A URL for messages, without what may be a password.
fn without_password(url: &str) -> String {
    match (url.split_once(':'), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}:…@{place}"),
        _ => url.to_owned(),
    }
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
