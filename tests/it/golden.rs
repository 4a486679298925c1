//! Stores as earlier versions have left them (`tests/golden`) open, are migrated, and their tasks end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_runtime::operate::{DeadLetterFilter, Operator, RetryScope};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{NewTask, StepContext, StepResult, StepState, TaskFilter, TaskId, TaskState, Tasker};

use crate::postgres::Schema;
use crate::program::root;

const STEPS: [(&str, &str); 5] = [
    ("create_user_account", "CreateUserAccountHandler"),
    ("setup_billing_profile", "SetupBillingProfileHandler"),
    ("initialize_preferences", "InitializePreferencesHandler"),
    ("send_welcome_sequence", "SendWelcomeSequenceHandler"),
    ("update_user_status", "UpdateUserStatusHandler"),
];

/// A runtime on the store whose handlers return the names of their steps.
async fn tasker(url: &str) -> Tasker {
    let builder = Tasker::builder()
        .only_listed_handlers()
        .template_file(root().join("templates/user_registration.yaml"))
        .store_url(url)
        .poll_interval(Duration::from_millis(20))
        .reap_interval(Duration::from_millis(50));
    let builder = STEPS.into_iter().fold(builder, |builder, (_, handler)| {
        let callable = format!("Microservices::StepHandlers::{handler}");
        builder.handler_fn(&callable, |step: StepContext| async move {
            StepResult::Ok(json!({ "step": step.step_name(), "attempt": step.attempt() }))
        })
    });
    builder.build().await.unwrap()
}

/// The tasks by the name in their e-mail address.
async fn tasks(tasker: &Tasker) -> BTreeMap<String, TaskId> {
    let named = tasker.list(TaskFilter::default()).await.unwrap().into_iter().map(|task| {
        let context: Value = task.context.to().unwrap();
        let email = context["user_info"]["email"].as_str().unwrap();
        (email.split('@').next().unwrap().to_owned(), task.id)
    });
    named.collect()
}

async fn every_task_ends(url: &str) {
    let tasker = tasker(url).await;
    let tasks = tasks(&tasker).await;
    assert_eq!(tasks.len(), 9, "{tasks:?}");
    let operator = Operator::new("ada").because("a newer version");

    // What is over stays as it was, and reads as it did.
    let done = tasker.get_task(tasks["done"]).await.unwrap();
    assert_eq!(done.state, TaskState::Complete);
    assert_eq!(done.step_output::<Value>("update_user_status").unwrap()["status"], "active");
    let manual = tasker.get_task(tasks["manual"]).await.unwrap();
    let billing = manual.step("setup_billing_profile").unwrap();
    assert_eq!((billing.state, billing.attempts.len()), (StepState::Complete, 1));
    assert_eq!(manual.step_output::<Value>("setup_billing_profile").unwrap()["golden"], true);
    assert_eq!((manual.actions[0].by.as_str(), manual.actions[0].steps.len()), ("ada", 1));
    let letters = tasker.dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.task).collect::<Vec<_>>(), [tasks["given-up"]]);

    // The steps of the worker that was killed run again, and the crash counts.
    let killed = tasker.wait(tasks["killed"]).await.unwrap();
    let billing = killed.step("setup_billing_profile").unwrap();
    let outcomes: Vec<_> = billing.attempts.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Crashed, AttemptOutcome::Complete]);
    assert_eq!(killed.step_output::<Value>("create_user_account").unwrap()["email"], "killed@example.com");

    // What waited in the queue has run, and its key still keeps another from being created.
    let ready = tasker.wait(tasks["ready"]).await.unwrap();
    assert_eq!(ready.origin.tags, ["golden", "ready"]);
    let again = json!({ "user_info": { "email": "other@example.com" } });
    let again = NewTask::new("microservices", "user_registration", &again).idempotency_key("golden-1");
    tasker.create_task(again).await.unwrap_err();

    // Whatever needs an operator ends by one.
    tasker.retry_now(tasks["backoff"], "setup_billing_profile", &operator).await.unwrap();
    let backoff = tasker.wait(tasks["backoff"]).await.unwrap();
    assert_eq!(backoff.step("setup_billing_profile").unwrap().attempts.len(), 2);
    for name in ["blocked", "manual", "cancelled", "given-up"] {
        tasker.retry(tasks[name], &RetryScope::All, &operator).await.unwrap();
        assert_eq!(tasker.wait(tasks[name]).await.unwrap().state, TaskState::Complete, "{name}");
    }
    let later = tasker.get_task(tasks["later"]).await.unwrap();
    assert_eq!(later.step("create_user_account").unwrap().state, StepState::Ready);
    tasker.retry_now(tasks["later"], "create_user_account", &operator).await.unwrap();
    tasker.wait(tasks["later"]).await.unwrap();

    let limits = tasker.limits().await.unwrap();
    assert_eq!(limits[0].limit.concurrency, Some(3));
    tasker.shutdown().await;
}

/// Opens a copy of a file. `killed` is its worker that was killed.
async fn a_file(name: &str, killed: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("golden.db");
    std::fs::copy(root().join("tests/golden").join(name), &path).unwrap();
    // The lock of the worker, which nobody holds: others need not wait to be sure of that.
    let locks = directory.path().join("golden.db-workers");
    std::fs::create_dir(&locks).unwrap();
    std::fs::write(locks.join(format!("{killed}.lock")), "").unwrap();
    every_task_ends(&format!("sqlite://{}", path.display())).await;
}

async fn a_schema(name: &str) {
    let schema = Schema::new();
    let sql = std::fs::read_to_string(root().join("tests/golden").join(name)).unwrap();
    schema.execute(&sql.replace("{schema}", &format!("\"{}\"", schema.name()))).await;
    every_task_ends(&schema.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_version_5() {
    a_file("sqlite-v5.db", "01a213ea-a28a-77de-b839-26056c464821").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_version_6() {
    a_file("sqlite-v6.db", "01a21489-447d-7655-a692-a516151b554a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_schema_of_version_2() {
    a_schema("postgres-v2.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_schema_of_version_3() {
    a_schema("postgres-v3.sql").await;
}
