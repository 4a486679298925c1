//! Tasker beside sqlx 0.8.

#[path = "../../diamond.rs"]
mod diamond;

use ::tasker;

#[tokio::main]
async fn main() {
    diamond::run().await;
    // Both are linked in; no server is needed to see that.
    sqlx::PgPool::connect_lazy("postgres://nobody@localhost/nothing").expect("the URL is one");
    #[cfg(feature = "sqlite")]
    {
        let pool = sqlx::SqlitePool::connect("sqlite::memory:").await.expect("a database in memory");
        let (version,): (String,) =
            sqlx::query_as("SELECT sqlite_version()").fetch_one(&pool).await.expect("a version");
        println!("both speak to SQLite {version}");
    }
}
