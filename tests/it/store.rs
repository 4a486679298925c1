//! The conformance suite, on every store.

mod memory {
    use std::sync::Arc;

    use tasker_runtime::MemoryStore;

    tasker_runtime::store_conformance!((Arc::new(MemoryStore::new()), ()));
}

mod sqlite {
    use std::sync::Arc;

    use tasker_runtime::SqliteStore;

    tasker_runtime::store_conformance!({
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("conformance.db")).unwrap();
        (Arc::new(store), directory)
    });
}
