//! A result that one version of a program has recorded, and another version reads as another type.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker_runtime::error::{ErrorKind, ErrorRecord};
use tasker_runtime::operate::{Operator, RetryScope};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::testing::call;
use tasker_runtime::{
    Builder, NewTask, StepContext, StepError, StepResult, StepState, Task, TaskState, Tasker, step_handler,
};

use crate::postgres::Schema;
use crate::support::{ended, on_store};

#[derive(Serialize)]
struct OldReceipt {
    cents: u64,
}

/// `cents` has another name.
#[derive(Deserialize)]
struct NewReceipt {
    total: u64,
}

/// As the documentation advises.
#[derive(Deserialize)]
struct Receipt {
    #[serde(alias = "cents")]
    total: u64,
}

fn program(
    url: &str,
    version: &str,
    mail: impl Fn(StepContext) -> StepResult<u64> + Send + Sync + 'static,
) -> Builder {
    on_store(url, "charge\nmail: charge | retry: {max_attempts: 2, initial_delay: 1}")
        .program("shop", version)
        .backoff_scale(0.0)
        .handler_fn("charge", |_: StepContext| async { StepResult::Ok(OldReceipt { cents: 5 }) })
        .handler_fn("mail", move |step: StepContext| std::future::ready(mail(step)))
}

async fn retried(tasker: &Tasker, task: &Task) -> Task {
    let operator = Operator::new("ada").because("another version");
    tasker.retry(task.id, &RetryScope::All, &operator).await.unwrap();
    ended(tasker.wait(task.id).await)
}

fn last_error(task: &Task) -> &ErrorRecord {
    task.step("mail").unwrap().attempts.last().unwrap().error.as_ref().unwrap()
}

async fn versions_follow_each_other(url: &str) {
    // The first version records the receipt, and cannot mail it.
    let closed = |_: StepContext| Err(StepError::permanent("the mail server is closed"));
    let tasker = program(url, "1.0.0", closed).build().await.unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
    let task = ended(tasker.wait(id).await);
    assert_eq!(task.state, TaskState::BlockedByFailures);
    tasker.shutdown().await;

    // The second cannot read it: that is told, and the step stays in its policy.
    let tasker = program(url, "2.0.0", |step| Ok(step.dependency::<NewReceipt>("charge")?.total));
    let tasker = tasker.build().await.unwrap();
    let task = retried(&tasker, &task).await;
    let mail = task.step("mail").unwrap();
    assert_eq!((mail.state, mail.attempts.len()), (StepState::Error, 3), "two more attempts");
    let error = last_error(&task);
    let charged = &task.step("charge").unwrap().attempts[0];
    let expected = format!(
        "the result of step `charge` cannot be read: missing field `total` at line 1 column 11; it was \
         recorded by shop 1.0.0 at {}, and this is shop 2.0.0 [INCOMPATIBLE_RESULT]",
        charged.finished_at
    );
    assert_eq!((error.kind, error.to_string()), (ErrorKind::Retryable, expected));
    let facts = json!({
        "step": "charge", "field": ".", "recorded_by": "shop 1.0.0", "recorded_at": charged.finished_at,
        "worker": charged.worker, "read_by": "shop 2.0.0",
    });
    assert_eq!(error.context.as_ref(), Some(&facts));
    tasker.shutdown().await;

    // The third can. A result that an operator gives is told as such.
    let tasker = program(url, "2.0.1", |step| Ok(step.dependency::<Receipt>("charge")?.total));
    let tasker = tasker.build().await.unwrap();
    let task = retried(&tasker, &task).await;
    assert_eq!((task.state, task.step_output::<u64>("mail").unwrap()), (TaskState::Complete, 5));
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_result_of_another_type_is_told_with_who_recorded_it_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    versions_follow_each_other(&format!("sqlite://{}", directory.path().join("t.db").display())).await;
}

#[tokio::test]
async fn a_result_of_another_type_is_told_with_who_recorded_it_on_postgres() {
    versions_follow_each_other(&Schema::new().url()).await;
}

#[tokio::test]
async fn a_result_that_an_operator_gave_is_told_as_such() {
    let mail = |step: StepContext| StepResult::Ok(step.dependency::<NewReceipt>("charge")?.total);
    let tasker =
        on_store("memory:", "charge | retry: {max_attempts: 1}\nmail: charge | retry: {max_attempts: 1}")
            .handler_fn("charge", |_: StepContext| async {
                StepResult::<()>::Err(StepError::permanent("declined"))
            })
            .handler_fn("mail", move |step: StepContext| std::future::ready(mail(step)))
            .build()
            .await
            .unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
    ended(tasker.wait(id).await);
    let operator = Operator::new("ada").because("paid in cash");
    tasker.complete_step(id, "charge", &json!({ "total": "five" }), &operator).await.unwrap();
    let task = ended(tasker.wait(id).await);
    let error = last_error(&task);
    let facts = error.context.as_ref().unwrap();
    assert_eq!((&facts["field"], &facts["recorded_by"]), (&json!("total"), &json!("an operator")));
    // A program that has said no name goes by that of its file.
    let Some(Value::String(reader)) = facts.get("read_by") else { panic!("{facts}") };
    assert!(reader.starts_with("it-"), "{reader}");
    assert!(error.message.contains("`total`: invalid type: string \"five\""), "{error}");
    assert_eq!(task.step("mail").unwrap().attempts[0].outcome, AttemptOutcome::Failed);
    tasker.shutdown().await;
}

#[step_handler("ResultTypes::Mail")]
async fn mail(#[depends_on("charge")] receipt: Receipt) -> u64 {
    receipt.total
}

#[test]
fn a_call_tells_it_as_an_engine_does() {
    let error = call::<mail>().dependency("charge", &json!({ "total": -1 })).run_blocking().unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Some("INCOMPATIBLE_RESULT"), true));
    assert_eq!(error.context(), Some(&json!({ "step": "charge", "field": "total" })));
}
