//! The conformance suite, on every store.

mod memory {
    use std::sync::Arc;

    use tasker_runtime::store::MemoryStore;

    tasker_store::store_conformance!((Arc::new(MemoryStore::new()), ()));
}

mod sqlite {
    use std::sync::Arc;

    use tasker_runtime::store::SqliteStore;

    tasker_store::store_conformance!({
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("conformance.db")).unwrap();
        (Arc::new(store), directory)
    });
}

mod postgres {
    use std::sync::Arc;

    use tasker_runtime::store::PostgresStore;

    use crate::postgres::Schema;

    tasker_store::store_conformance!({
        let schema = Schema::new();
        (Arc::new(PostgresStore::open(&schema.url()).await.unwrap()), schema)
    });
}

/// For proxies that keep neither prepared statements nor notifications.
mod postgres_unprepared {
    use std::sync::Arc;

    use tasker_runtime::store::PostgresStore;

    use crate::postgres::Schema;

    tasker_store::store_conformance!({
        let schema = Schema::new();
        let url = schema.url_with("prepared=false&listen=false&writers=1");
        (Arc::new(PostgresStore::open(&url).await.unwrap()), schema)
    });
}
