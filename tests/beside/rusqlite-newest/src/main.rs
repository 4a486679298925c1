//! The SQLite store on the newest rusqlite.

#[path = "../../diamond.rs"]
mod diamond;

use tasker_runtime as tasker;

#[tokio::main]
async fn main() {
    diamond::run().await;
    println!("on SQLite {}", rusqlite::version());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tasker_runtime::store::SqliteStore;

    tasker_store::store_conformance!({
        let directory = tempfile::tempdir().expect("a directory for the file");
        let store = SqliteStore::open(directory.path().join("conformance.db")).expect("the file opens");
        (Arc::new(store), directory)
    });
}
