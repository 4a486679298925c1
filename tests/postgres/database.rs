//! A database of its own in a real PostgreSQL, for a test that needs one of another kind.

use super::{execute, server};

/// A database that is dropped with this.
#[derive(Debug)]
pub struct Database(String);

impl Database {
    /// A database whose texts have this encoding.
    pub async fn with_encoding(encoding: &str) -> Self {
        let name = format!("tasker_test_{}", uuid::Uuid::now_v7().simple());
        execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await;
        Self(name)
    }

    /// The URL of a store in this database.
    pub fn url(&self) -> String {
        let (address, query) = server().split_once('?').unwrap_or((server(), ""));
        let (head, _) = address.rsplit_once('/').unwrap();
        let joint = if query.is_empty() { "" } else { "&" };
        format!("{head}/{}?{query}{joint}connections=5", self.0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        // A test may be inside a runtime, which cannot wait for another one on its thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&sql));
        })
        .join();
        if dropped.is_err() && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.0);
        }
    }
}
