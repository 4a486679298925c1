//! Claims that reach a worker which has gone meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{StepContext, StepResult};
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use crate::patience::within;
use crate::postgres::{Schema, server};
use crate::support::{Ledger, new_task, on_store, recording};

/// The lease is longer than any test waits: who has to wait for it fails.
const LONG_LEASE: &str = "lease=600";

/// A worker is told to stop while its claim from the queue waits for a lock. What it then claims goes back at
/// once, and the attempt does not count.
#[tokio::test]
async fn what_a_worker_claims_that_has_been_told_to_stop_goes_back_at_once() {
    let (schema, ledger) = (Schema::new(), Ledger::default());
    let builder = || recording(on_store(&schema.url_with(LONG_LEASE), "a\nb: a"), &ledger, &["a", "b"]);
    let client = builder().without_worker().build().await.unwrap();
    let id = client.create_task(new_task()).await.unwrap();

    let (mut holder, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK TABLE {}.step IN SHARE ROW EXCLUSIVE MODE", schema.name()))
        .await
        .unwrap();
    let leaving = builder().build().await.unwrap();
    schema.until_somebody_waits().await;
    let (_, ()) = tokio::join!(within("the end of the worker", leaving.shutdown()), async {
        // The shutdown has begun when this is polled.
        lock.rollback().await.unwrap();
    });
    assert!(ledger.lines().is_empty(), "{:?}", ledger.lines());

    let other = builder().build().await.unwrap();
    let task = within("the task", other.wait(id)).await.unwrap();
    let outcomes: Vec<_> =
        task.steps.iter().flat_map(|step| &step.attempts).map(|one| (one.attempt, one.outcome)).collect();
    assert_eq!(outcomes, [(1, AttemptOutcome::Complete), (1, AttemptOutcome::Complete)]);
    other.shutdown().await;
    drop(holder);
    driver.await.unwrap().unwrap();
}

/// A worker is told to stop while a step runs. What that step makes ready is not claimed in passing by a
/// worker that leaves, and others have it at once.
#[tokio::test]
async fn what_the_last_step_of_a_worker_makes_ready_is_left_to_others() {
    let (schema, ledger) = (Schema::new(), Ledger::default());
    let on = |settings: &str| on_store(&schema.url_with(settings), "a\nb: a\nc: a\nd: a");
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let leaving = recording(on(LONG_LEASE), &ledger, &["b", "c", "d"])
        .handler_fn("a", move |context: StepContext| {
            let enter = Arc::clone(&enter);
            async move {
                enter.notify_one();
                context.cancelled().await;
                StepResult::Ok("a".to_owned())
            }
        })
        .grace_period(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    let id = leaving.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    within("the end of the worker", leaving.shutdown()).await;
    assert!(ledger.lines().is_empty(), "{:?}", ledger.lines());
    let other = recording(on(LONG_LEASE), &ledger, &["a", "b", "c", "d"]).build().await.unwrap();
    let task = within("the task", other.wait(id)).await.unwrap();
    assert!(task.steps.iter().all(|step| step.attempts.len() == 1), "{task:?}");
    assert_eq!(ledger.lines().len(), 3);
    other.shutdown().await;
}
