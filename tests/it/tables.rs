//! The testing kit and handlers that write into tables of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::json;
use tasker_runtime::handler::{SqlValue, SqlWrite};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::testing::{TestEngine, call};
use tasker_runtime::{NewTask, ResultWrites, StepContext, StepError, StepResult, TaskState, step_handler};

/// Fails in its first attempt, when it has added its statement.
#[step_handler("Tables::Book")]
async fn book(#[input("cents")] cents: i64, context: StepContext, writes: ResultWrites) -> StepResult<i64> {
    tokio::time::sleep(Duration::from_secs(10)).await;
    writes.add("INSERT INTO shop.booked (cents, note) VALUES ($1, $2)", [cents.into(), SqlValue::Null]);
    match context.attempt() {
        1 => Err(StepError::retryable("not yet")),
        _ => Ok(cents),
    }
}

/// Reads what the step before has written.
#[step_handler("Tables::Close")]
async fn close(#[depends_on(book)] cents: i64, writes: ResultWrites) {
    writes.add("UPDATE totals SET cents = cents + $1", [cents]);
}

const TEMPLATE: &str = "
name: books
namespace_name: test
version: 1.0.0
steps:
  - name: book
    handler: {callable: Tables::Book}
    timeout_seconds: 60
    retry: {initial_delay: 1800, max_delay: 1800}
  - name: close
    handler: {callable: Tables::Close}
    dependencies: [book]
";

fn books() -> TestEngine {
    TestEngine::template_str("books.yaml", TEMPLATE)
        .tables("CREATE TABLE totals (cents INTEGER NOT NULL)")
        .tables("INSERT INTO totals VALUES (100)")
        .tables_in("shop", "CREATE TABLE booked (cents INTEGER CHECK (cents > 0), note TEXT)")
}

const ROWS: &str = "SELECT totals.cents, booked.cents, booked.note FROM totals, shop.booked";

fn rows(cents: i64) -> [Vec<SqlValue>; 1] {
    [vec![(100 + cents).into(), cents.into(), SqlValue::Null]]
}

#[test]
fn a_run_on_a_file_takes_its_virtual_time_and_no_more() {
    let run = books().run_blocking(json!({ "cents": 5 }));
    run.assert_complete();
    assert_eq!(run.rows(ROWS), rows(5));
    // Two attempts of ten seconds, and the delay between them: time does not run on while the file is written.
    let elapsed = run.elapsed();
    assert!((1_820..1_821).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn several_tasks_share_the_file_of_a_builder() {
    let engine = books();
    let tasker = engine.builder().build().await.unwrap();
    let mut ids = Vec::new();
    for cents in 1..=20 {
        let task = NewTask::new("test", "books", &json!({ "cents": cents }));
        ids.push(tasker.create_task(task).await.unwrap());
    }
    for id in ids {
        assert_eq!(tasker.wait(id).await.unwrap().state, TaskState::Complete);
    }
    tasker.shutdown().await;
}

#[test]
fn what_is_written_is_there_once_wherever_the_worker_dies() {
    let engine = books();
    let crashes = engine.crash_everywhere_blocking(json!({ "cents": 7 }), |run| {
        // The crash may have been the last attempt that `book` had.
        if run.task().state == TaskState::Complete {
            assert_eq!(run.rows(ROWS), rows(7));
        } else {
            assert!(run.rows("SELECT * FROM shop.booked").is_empty());
        }
    });
    assert!(crashes > 10, "{crashes}");
}

#[test]
fn a_statement_that_cannot_run_fails_as_in_production() {
    let run = books().run_blocking(json!({ "cents": -5 }));
    let error = run.assert_failed("book").to_string();
    assert!(error.contains("CHECK constraint failed") && error.ends_with("[TRANSACTION]"), "{error}");
    assert!(run.rows("SELECT * FROM shop.booked").is_empty());
    assert_eq!(run.attempts("book").last().unwrap().outcome, AttemptOutcome::Failed);

    let nowhere = TestEngine::template_str("books.yaml", TEMPLATE).tables("CREATE TABLE other (a)");
    let run = nowhere.run_blocking(json!({ "cents": 5 }));
    let error = run.assert_failed("book").to_string();
    assert!(error.contains("no such table: shop.booked; the application creates its tables"), "{error}");

    let run = TestEngine::template_str("books.yaml", TEMPLATE).run_blocking(json!({ "cents": 5 }));
    let error = run.assert_failed("book").to_string();
    assert!(error.contains("in tests `TestEngine::tables`"), "{error}");
    let panic = catch_unwind(AssertUnwindSafe(|| run.rows(ROWS))).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains(".tables(")), "{panic:?}");
}

#[test]
fn tables_that_tasker_could_not_share_a_file_with_fail_the_test() {
    let engine = books().tables("CREATE TABLE task (id INTEGER)");
    let panic = catch_unwind(AssertUnwindSafe(|| engine.run_blocking(json!({ "cents": 5 })))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("table `task` has the name of one of Tasker's"), "{text}");
}

#[test]
fn a_call_shows_the_statements_of_its_own() {
    let first = call::<book>().input(json!({ "cents": 5 }));
    let second = first.clone().attempt(2);
    let (failed, written) = (first.writes(), second.writes());
    assert_eq!(second.run_blocking().unwrap(), 5);
    let statement = SqlWrite {
        sql: "INSERT INTO shop.booked (cents, note) VALUES ($1, $2)".to_owned(),
        values: vec![5.into(), SqlValue::Null],
    };
    assert_eq!(written.statements(), std::slice::from_ref(&statement));
    assert!(failed.statements().is_empty());
    first.run_blocking().unwrap_err();
    assert_eq!(failed.statements(), [statement]);
}
