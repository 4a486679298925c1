//! What a handler writes into tables of its own is there together with its result, or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tasker_runtime::error::chain;
use tasker_runtime::handler::SqlValue;
use tasker_runtime::store::{PostgresStore, SqliteOptions, SqliteStore, StoreError};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{
    NewTask, ResultWrites, StepContext, StepError, StepResult, StepState, Task, Tasker, step_handler,
};
use tasker_store::conformance::{Shape, at, new, new_task, template as record};
use tasker_store::{Claim, ClaimRequest, Ending, Finished, FinishedAttempt, SqlWrite, Store, WorkerInfo};
use tokio_postgres::NoTls;

use crate::postgres::{Schema, server};
use crate::program::{json, migrated, tasker};
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

fn sqlite_rows(path: &Path) -> Rows {
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
    rusqlite::Connection::open(&path).unwrap().execute_batch(CREATE).unwrap();
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

const CREATE: &str =
    "CREATE TABLE payments (task TEXT PRIMARY KEY, cents INTEGER CHECK (cents > 0), note TEXT)";

/// A file of the application's with its table and its marks.
fn file_of_the_application(directory: &Path) -> PathBuf {
    let path = directory.join("app.db");
    let marks = "PRAGMA user_version = 41; PRAGMA application_id = 7";
    rusqlite::Connection::open(&path).unwrap().execute_batch(&format!("{CREATE}; {marks}")).unwrap();
    path
}

#[tokio::test]
async fn a_file_with_tables_of_the_application_is_shared_when_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_of_the_application(directory.path());
    let url = format!("sqlite://{}", path.display());
    let builder = || Tasker::builder().only_listed_handlers().without_worker();
    let error = chain(&builder().store_url(&url).build().await.unwrap_err());
    assert!(
        error.contains("of another program") && error.contains("add `?share=true` to the URL"),
        "{error}"
    );

    let context = json!({ "cents": 5, "fails": true });
    let paid = run(format!("{url}?share=true"), "payments", context).await;
    assert_eq!(paid.step("pay").unwrap().attempts.len(), 2);
    assert_eq!(sqlite_rows(&path), [(5, Some("it's paid".to_owned()))]);
    // From then on it is known, and its marks are still the application's.
    let listed = json(&tasker(["task", "list", "--json", "--store", &url]));
    assert_eq!(listed["tasks"][0]["id"], json!(paid.id));
    let migration = migrated(&url, &[]);
    assert_eq!(migration["sql"], json!([]));
    let file = rusqlite::Connection::open(&path).unwrap();
    let marks = |name| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((marks("user_version"), marks("application_id")), (41, 7));

    // A name that both want.
    let other = directory.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE tag (name TEXT)").unwrap();
    let shared = SqliteOptions::new(&other).share().open();
    let error = chain(&shared.unwrap_err());
    assert!(error.contains("table `tag` has the name of one of Tasker's"), "{error}");
}

#[tokio::test]
async fn a_file_of_the_application_is_written_in_the_commit_of_the_result() {
    let directory = tempfile::tempdir().unwrap();
    let (path, app) = (directory.path().join("t.db"), file_of_the_application(directory.path()));
    let url = format!("sqlite://{}?attach=app:{}", path.display(), app.display());
    let paid = run(url.clone(), "app.payments", json!({ "cents": 5, "fails": true })).await;
    assert_eq!(paid.step("pay").unwrap().attempts.len(), 2);
    refused(&run(url, "app.payments", json!({ "cents": -1, "fails": false })).await, "CHECK");
    assert_eq!(sqlite_rows(&app), [(5, Some("it's paid".to_owned()))]);

    for (name, file, says) in [
        ("app", "missing.db", "No such file"),
        ("main", "app.db", "it cannot be attached as `main`"),
        ("a b", "app.db", "it cannot be attached as `a b`"),
        ("app", "t.db", "it is the store's own file"),
    ] {
        let options = SqliteOptions::new(&path).attach(name, directory.path().join(file));
        let error = chain(&options.open().unwrap_err());
        assert!(error.contains(says) && error.contains(file), "{error}");
    }
    assert!(!directory.path().join("missing.db").exists());
}

#[tokio::test]
async fn a_lock_on_an_attached_file_holds_up_only_steps_that_write_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let (path, app) = (directory.path().join("t.db"), file_of_the_application(directory.path()));
    let store = SqliteOptions::new(&path).attach("app", &app).open().unwrap();
    store.set_pragma("busy_timeout", 10).await.unwrap();
    let application = rusqlite::Connection::open(&app).unwrap();
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (shape, worker) = (Shape::new(vec![vec![]]), WorkerId::random());
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(record()).await.unwrap();
    let claim = new(store.create_task(new_task(&shape, 0), request(worker, 1)).await.unwrap()).claims[0];
    let writing = paying(&shape, claim, "app.payments", 1);
    let Err(StoreError::Write { passing: true, reason, .. }) =
        store.finish(writing.clone(), request(worker, 0)).await
    else {
        panic!("the file is locked");
    };
    assert!(reason.contains("locked"), "{reason}");
    application.execute_batch("ROLLBACK").unwrap();
    let finished = store.finish(writing, request(worker, 0)).await.unwrap();
    assert!(matches!(finished, Finished::Recorded { .. }));
    assert_eq!(sqlite_rows(&app), [(1, None)]);
    // Our own file is locked in each transaction, against other processes.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = store.put_template(record()).await.unwrap_err();
    assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_told_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("t.db").display());
    let context = json!({ "cents": 5, "fails": false });
    let way_out = "the application creates its tables before its worker starts";
    refused(&run(url, "payments", context.clone()).await, way_out);
    let schema = Schema::new();
    refused(&run(schema.url(), "payments", context).await, way_out);
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

fn request(worker: WorkerId, limit: usize) -> ClaimRequest {
    ClaimRequest { worker, limit, any: false, now: at(0), excluded: Arc::default(), namespaces: None }
}

/// The end of an attempt that pays so many cents.
fn paying(shape: &Shape, claim: Claim, table: &str, cents: i64) -> FinishedAttempt {
    let Ending::Complete { result, graph, spawned, .. } = shape.complete("1") else { unreachable!() };
    let values = vec![SqlValue::Text(claim.task.to_string()), cents.into(), SqlValue::Null];
    let sql = format!("INSERT INTO {table} VALUES ($1, $2, $3)");
    let writes = Arc::new([SqlWrite { sql, values }]);
    let ending = Ending::Complete { result, graph, spawned, writes };
    FinishedAttempt { claim, started_at: at(0), finished_at: at(1), ending }
}

/// An answer under a claim that no longer holds writes nothing.
async fn a_stale_answer_writes_nothing(store: impl Store, table: &str) {
    let (shape, worker) = (Shape::new(vec![vec![]]), WorkerId::random());
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(record()).await.unwrap();
    let claim = new(store.create_task(new_task(&shape, 0), request(worker, 1)).await.unwrap()).claims[0];
    let mut finished = Vec::new();
    for cents in [1, 2] {
        let attempt = paying(&shape, claim, table, cents);
        finished.push(store.finish(attempt, request(worker, 0)).await.unwrap());
    }
    assert!(matches!(finished[..], [Finished::Recorded { .. }, Finished::Stale]));
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
