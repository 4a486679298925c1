//! What a handler writes into tables of its own is there together with its result, or not at all.

use std::sync::Arc;

use serde_json::json;
use tasker_runtime::handler::SqlValue;
use tasker_runtime::store::{PostgresStore, SqliteStore};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{
    NewTask, ResultWrites, StepContext, StepError, StepResult, StepState, Task, Tasker, step_handler,
};
use tasker_store::conformance::{Shape, at, new, new_task, template as record};
use tasker_store::{ClaimRequest, Ending, Finished, FinishedAttempt, SqlWrite, Store, WorkerInfo};
use tokio_postgres::NoTls;

use crate::postgres::{Schema, server};
use crate::support::{ended, template};

/// Where the application's table is, as SQL names it.
#[derive(Clone)]
struct Payments(String);

#[step_handler("OwnWrites::Pay")]
async fn pay(
    #[input("cents")] cents: i64,
    #[input("fails")] fails: bool,
    tasker_runtime::State(payments): tasker_runtime::State<Payments>,
    context: StepContext,
    writes: ResultWrites,
) -> StepResult<i64> {
    let note: SqlValue = Some("it's paid").into();
    let values = [context.task_id().0.into(), cents.into(), note];
    writes.add(format!("INSERT INTO {} VALUES ($1, $2, $3)", payments.0), values);
    if fails && context.attempt() == 1 {
        return Err(StepError::retryable("not yet"));
    }
    Ok(cents)
}

async fn run(url: String, table: &str, context: serde_json::Value) -> Task {
    let tasker = Tasker::builder()
        .template_str(
            "flow.yaml",
            template("pay: | handler: {callable: OwnWrites::Pay}").replace("handler: {callable: pay}, ", ""),
        )
        .store_url(url)
        .state(Payments(table.to_owned()))
        .backoff_scale(0.0)
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &context)).await.unwrap();
    let task = ended(tasker.wait(id).await);
    tasker.shutdown().await;
    task
}

/// What is in the table: cents and note of each row.
type Rows = Vec<(i64, Option<String>)>;

fn sqlite_rows(path: &std::path::Path) -> Rows {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT cents, note FROM payments ORDER BY cents").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

async fn postgres_rows(table: &str) -> Rows {
    let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let rows = client.query(&format!("SELECT cents, note FROM {table} ORDER BY cents"), &[]).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn on_sqlite_an_attempt_that_fails_writes_nothing_and_the_next_writes_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let url = format!("sqlite://{}", path.display());
    drop(SqliteStore::open(&path).unwrap());
    let create = "CREATE TABLE payments (task TEXT PRIMARY KEY, cents INTEGER CHECK (cents > 0), note TEXT)";
    rusqlite::Connection::open(&path).unwrap().execute_batch(create).unwrap();
    let paid = run(url.clone(), "payments", json!({ "cents": 5, "fails": true })).await;
    assert_eq!(paid.step("pay").unwrap().attempts.len(), 2);
    refused(&run(url, "payments", json!({ "cents": -1, "fails": false })).await, "CHECK");
    assert_eq!(sqlite_rows(&path), [(5, Some("it's paid".to_owned()))]);
}

#[tokio::test]
async fn on_postgres_an_attempt_that_fails_writes_nothing_and_the_next_writes_once() {
    let schema = Schema::new();
    drop(PostgresStore::open(&schema.url()).await.unwrap());
    let table = format!("{}.payments", schema.name());
    let columns = "task uuid PRIMARY KEY, cents bigint CHECK (cents > 0), note text";
    schema.execute(&format!("CREATE TABLE {table} ({columns})")).await;
    let paid = run(schema.url(), &table, json!({ "cents": 5, "fails": true })).await;
    assert_eq!(paid.step("pay").unwrap().attempts.len(), 2);
    refused(&run(schema.url(), &table, json!({ "cents": -1, "fails": false })).await, "check constraint");
    assert_eq!(postgres_rows(&table).await, [(5, Some("it's paid".to_owned()))]);
}

#[tokio::test]
async fn a_store_in_memory_refuses() {
    refused(&run("memory:".to_owned(), "payments", json!({ "cents": 5, "fails": false })).await, "in memory");
}

/// The step has failed for good, and says which statement it was and why.
fn refused(task: &Task, why: &str) {
    let step = task.step("pay").unwrap();
    assert_eq!(step.state, StepState::Error);
    assert_eq!(step.attempts.len(), 1);
    assert_eq!(step.attempts[0].outcome, AttemptOutcome::Failed);
    let error = step.attempts[0].error.as_ref().unwrap().to_string();
    assert!(error.contains("INSERT INTO") && error.contains(why), "{error}");
}

/// An answer under a claim that no longer holds writes nothing.
async fn a_stale_answer_writes_nothing(store: impl Store, table: &str) {
    let worker = WorkerId::random();
    let request = |limit| ClaimRequest {
        worker,
        limit,
        any: false,
        now: at(0),
        excluded: Arc::default(),
        namespaces: None,
    };
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(record()).await.unwrap();
    let shape = Shape::new(vec![vec![]]);
    let claim = new(store.create_task(new_task(&shape, 0), request(1)).await.unwrap()).claims[0];
    let attempt = |cents: i64| {
        let Ending::Complete { result, graph, spawned, .. } = shape.complete("1") else { unreachable!() };
        let values = vec![SqlValue::Text(claim.task.to_string()), cents.into(), SqlValue::Null];
        let sql = format!("INSERT INTO {table} VALUES ($1, $2, $3)");
        let writes = Arc::new([SqlWrite { sql, values }]);
        let ending = Ending::Complete { result, graph, spawned, writes };
        FinishedAttempt { claim, started_at: at(0), finished_at: at(1), ending }
    };
    assert!(matches!(store.finish(attempt(1), request(0)).await.unwrap(), Finished::Recorded { .. }));
    assert!(matches!(store.finish(attempt(2), request(0)).await.unwrap(), Finished::Stale));
}

#[tokio::test]
async fn a_stale_answer_writes_nothing_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let store = SqliteStore::open(&path).unwrap();
    let create = "CREATE TABLE payments (task TEXT, cents INTEGER, note TEXT)";
    rusqlite::Connection::open(&path).unwrap().execute_batch(create).unwrap();
    a_stale_answer_writes_nothing(store, "payments").await;
    assert_eq!(sqlite_rows(&path), [(1, None)]);
}

#[tokio::test]
async fn a_stale_answer_writes_nothing_on_postgres() {
    let schema = Schema::new();
    let store = PostgresStore::open(&schema.url()).await.unwrap();
    let table = format!("{}.payments", schema.name());
    schema.execute(&format!("CREATE TABLE {table} (task uuid, cents bigint, note text)")).await;
    a_stale_answer_writes_nothing(store, &table).await;
    assert_eq!(postgres_rows(&table).await, [(1, None)]);
}
