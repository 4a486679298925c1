//! Tasker beside sqlx 0.8.

#[path = "../../diamond.rs"]
mod diamond;
/// The recipe of the documentation, as it stands there.
#[path = "../../../../tasker-postgres/docs/sqlx.rs"]
mod recipe;

use ::tasker;

#[tokio::main]
async fn main() {
    diamond::run().await;
    tasks_in_a_transaction().await;
    #[cfg(feature = "sqlite")]
    {
        let pool = sqlx::SqlitePool::connect("sqlite::memory:").await.expect("a database in memory");
        let (version,): (String,) =
            sqlx::query_as("SELECT sqlite_version()").fetch_one(&pool).await.expect("a version");
        println!("both speak to SQLite {version}");
    }
}

/// A task is there when the transaction of sqlx is committed, and only then. It needs a PostgreSQL, as Tasker's own
/// tests do.
async fn tasks_in_a_transaction() {
    const TEMPLATE: &str = "{name: order, namespace_name: beside, version: 1.0.0, \
        steps: [{name: greet, handler: {callable: Greet}}]}";
    let server = std::env::var("TASKER_TEST_DATABASE_URL").ok().filter(|url| !url.is_empty());
    let server = server.unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let pool = sqlx::PgPool::connect(&server).await.expect("a PostgreSQL");
    let schema = format!("beside_sqlx_{}", std::process::id());
    let tasker = tasker::Tasker::builder()
        .template_str("order.yaml", TEMPLATE)
        .handler_fn("Greet", |_: tasker::StepContext| async { tasker::StepResult::Ok("hello") })
        .store_url(format!("{server}{}schema={schema}", if server.contains('?') { '&' } else { '?' }))
        .build()
        .await
        .expect("the program starts");
    let new = || tasker::NewTask::new("beside", "order", &serde_json::json!({ "who": "it's $1" }));

    let mut transaction = pool.begin().await.expect("a transaction");
    tasker.create_task_in(&mut recipe::InSqlx(&mut transaction), new()).await.expect("a task");
    transaction.rollback().await.expect("it is rolled back");
    assert!(tasker.list(tasker::TaskFilter::new()).await.expect("a list").is_empty());

    let mut transaction = pool.begin().await.expect("a transaction");
    let id = tasker.create_task_in(&mut recipe::InSqlx(&mut transaction), new()).await.expect("a task");
    transaction.commit().await.expect("it is committed");
    let task = tasker.wait(id).await.expect("the task ends well");
    assert_eq!(task.step_output::<String>("greet").expect("a result"), "hello");
    tasker.shutdown().await;
    drop(tasker);
    let drop_schema = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(&drop_schema).execute(&pool).await.expect("the schema is dropped");
}
