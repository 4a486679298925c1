//! Operators who resolve steps that others need, correct a context, and find out who cannot run a step.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tasker_runtime::clock::Clock;
use tasker_runtime::error::ErrorKind;
use tasker_runtime::operate::{Operator, RetryScope};
use tasker_runtime::store::MemoryStore;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{
    Builder, Error, NewTask, StepContext, StepError, StepResult, StepState, TaskState, Tasker, step_handler,
};

use tasker_store::Store;

use crate::log::Log;
use crate::program::{created, json, sqlite, tasker, text};
use crate::support::{ended, new_task, on_file, template, virtual_time};

#[step_handler("Steering::Price")]
async fn price() -> Result<u32, StepError> {
    Err(StepError::permanent("the price list is away"))
}

#[step_handler("Steering::Charge")]
async fn charge(#[depends_on(price)] price: u32) -> u32 {
    price
}

#[step_handler("Steering::Note")]
async fn note(#[depends_on(price)] price: Option<u32>) -> bool {
    price.is_none()
}

#[derive(Debug, Deserialize)]
struct Order {
    cents: u32,
}

#[step_handler("Steering::Total")]
async fn total(#[input] order: Order) -> u32 {
    order.cents
}

/// A template of these steps, each a name and, after an equals sign, its callable; the others wait for the first.
fn priced(others: &[&str]) -> Builder {
    let mut yaml = template("price");
    yaml = yaml.replace("callable: price", "callable: Steering::Price");
    for other in others {
        let (name, callable) = other.split_once('=').unwrap();
        yaml.push_str(&format!(
            "  - {{name: {name}, handler: {{callable: {callable}}}, dependencies: [price]}}\n"
        ));
    }
    let builder = Tasker::builder().only_listed_handlers().clock(paused());
    let builder = builder.template_str("flow.yaml", yaml).store_url("memory:");
    builder.handler::<price>().handler::<charge>().handler::<note>()
}

fn paused() -> Clock {
    Clock::paused(Timestamp::UNIX_EPOCH, 1)
}

fn ada() -> Operator {
    Operator::new("ada").because("a test")
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_result_is_needed_is_resolved_only_by_force() {
    let tasker = priced(&["charge=Steering::Charge", "note=Steering::Note"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    let error = tasker.resolve_step(id, "price", &ada()).await.unwrap_err();
    let Error::ResultNeeded { needed_by, unknown, .. } = &error else { panic!("{error}") };
    assert_eq!((needed_by.as_slice(), unknown.len()), (&["charge".to_owned()][..], 0));
    assert_eq!(
        error.to_string(),
        format!(
            "step `price` of task {id} cannot be resolved: its result is needed by `charge`; complete it with a \
             result (`complete_step`, `task complete`), or resolve it all the same (`resolve_step_anyway`, \
             `--force`)"
        )
    );
    assert_eq!(tasker.get_task(id).await.unwrap().step("price").unwrap().state, StepState::Error);

    // By force: who needs it fails, and has it after all once somebody gives it.
    tasker.resolve_step_anyway(id, "price", &ada()).await.unwrap();
    let task = ended(tasker.wait(id).await);
    let error = task.step("charge").unwrap().error().unwrap();
    assert_eq!(error.code.as_deref(), Some("MISSING_DEPENDENCY"));
    // Its reader `note` has gone on without it.
    let refused = tasker.complete_step(id, "price", &7, &ada()).await.unwrap_err().to_string();
    assert!(
        refused.starts_with(&format!("step `note` of task {id} is complete: "))
            && refused.ends_with("it may read the result, and has begun without it"),
        "{refused}"
    );
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_resolved_step_is_given_its_result_and_who_failed_without_it_is_retried() {
    let tasker = priced(&["charge=Steering::Charge"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    tasker.resolve_step_anyway(id, "price", &ada()).await.unwrap();
    ended(tasker.wait(id).await);
    let task = tasker.complete_step(id, "price", &7, &ada()).await.unwrap();
    assert_eq!(task.step("price").unwrap().state, StepState::Complete);
    tasker.retry(id, &RetryScope::Step("charge".to_owned()), &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.output::<charge>().unwrap(), 7);
    assert_eq!(task.step_output::<u32>("price").unwrap(), 7);
    let actions: Vec<&str> = task.actions.iter().map(|one| one.action.as_str()).collect();
    assert_eq!(actions, ["resolve", "complete", "retry"]);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_that_nobody_needs_is_resolved() {
    let tasker = priced(&["note=Steering::Note"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    tasker.resolve_step(id, "price", &ada()).await.unwrap();
    assert!(tasker.wait(id).await.unwrap().output::<note>().unwrap());
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_know_the_handlers_says_so() {
    let builder = virtual_time("a\nb: a")
        .handler_fn("a", async |_| Err::<(), _>(StepError::permanent("no")))
        .handler_fn("b", async |_| StepResult::Ok(1));
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    let error = tasker.resolve_step(id, "a", &ada()).await.unwrap_err().to_string();
    assert!(error.contains("it is not known here whether `b` can do without its result"), "{error}");
    // A step that none waits for is needed by none.
    tasker.complete_step(id, "a", &1, &ada()).await.unwrap();
    tasker.wait(id).await.unwrap();
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_cannot_be_read_is_an_attempt_and_a_corrected_context_is_read_by_the_next() {
    let yaml =
        template("total | retry: {max_attempts: 3}").replace("callable: total", "callable: Steering::Total");
    let builder = Tasker::builder().only_listed_handlers().clock(paused());
    let tasker = builder
        .template_str("flow.yaml", yaml)
        .store_url("memory:")
        .handler::<total>()
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({ "cents": "seven" }))).await.unwrap();
    let task = ended(tasker.wait(id).await);
    // Visible, counted, and final, whatever budget of attempts there is.
    let step = task.step("total").unwrap();
    assert_eq!((task.state, step.state), (TaskState::BlockedByFailures, StepState::Error));
    let attempt = &step.attempts[..];
    assert_eq!((attempt.len(), attempt[0].attempt, attempt[0].outcome), (1, 1, AttemptOutcome::Failed));
    let error = step.error().unwrap();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Permanent, Some("INVALID_INPUT")));

    for (context, refused) in [(json!(7), "must be a JSON object"), (json!("x"), "must be a JSON object")] {
        let error = tasker.amend(id, &context, &ada()).await.unwrap_err().to_string();
        assert!(error.contains(refused), "{error}");
    }
    let task = tasker.amend(id, &json!({ "cents": 7 }), &ada()).await.unwrap();
    assert_eq!(task.state, TaskState::BlockedByFailures);
    tasker.retry(id, &RetryScope::All, &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.output::<total>().unwrap(), 7);
    assert_eq!((task.context.get(), task.actions[0].action.as_str()), (r#"{"cents":7}"#, "amend"));
    let error = tasker.amend(id, &json!({}), &ada()).await.unwrap_err().to_string();
    assert!(error.contains("is complete: `amend` is not possible"), "{error}");
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_context_is_not_amended_under_a_running_attempt() {
    let builder = virtual_time("a\nb: a").handler_fn("a", async |_: StepContext| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        StepResult::Ok(1)
    });
    let tasker = builder
        .handler_fn("b", async |context: StepContext| match context.attempt() {
            1 => Err(StepError::retryable("busy")),
            _ => context.input_field::<u32>("n"),
        })
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({ "n": 1 }))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = tasker.amend(id, &json!({ "n": 2 }), &ada()).await.unwrap_err().to_string();
    assert!(error.contains("step `a`") && error.contains("wait until it has ended"), "{error}");
    // While `b` waits for its second attempt, nothing runs.
    let waits = async {
        while tasker.get_task(id).await.unwrap().step("b").unwrap().state != StepState::WaitingForRetry {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    waits.await;
    tasker.amend(id, &json!({ "n": 2 }), &ada()).await.unwrap();
    assert_eq!(tasker.wait(id).await.unwrap().step_output::<u32>("b").unwrap(), 2);
    tasker.shutdown().await;
}

/// A handler that does not look at its cancellation runs on for the grace period. What its worker knows of the
/// task is out of date meanwhile.
#[tokio::test(start_paused = true)]
async fn an_amended_context_is_read_although_an_attempt_with_the_old_one_still_runs() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let handler = move |context: StepContext| {
        let sees = Arc::clone(&sees);
        async move {
            let n = context.input_field::<u32>("n")?;
            sees.lock().unwrap().push((context.attempt(), n));
            if context.attempt() == 1 {
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
            StepResult::Ok(n)
        }
    };
    let shared =
        || virtual_time("a").shared_store(Arc::clone(&store)).poll_interval(Duration::from_millis(100));
    let worker = shared().handler_fn("a", handler).build().await.unwrap();
    let client = shared().without_worker().build().await.unwrap();
    let id = client.create_task(NewTask::new("test", "flow", &json!({ "n": 1 }))).await.unwrap();
    while seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.cancel(id, &ada()).await.unwrap();
    client.amend(id, &json!({ "n": 2 }), &ada()).await.unwrap();
    client.retry(id, &RetryScope::All, &ada()).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(client.wait(id).await.unwrap().step_output::<u32>("a").unwrap(), 2);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(9), "the first attempt had ended before: {took:?}");
    assert_eq!(*seen.lock().unwrap(), [(1, 1), (2, 2)]);
    client.shutdown().await;
    worker.shutdown().await;
}

#[tokio::test]
async fn a_step_that_this_workers_own_work_makes_ready_and_that_it_cannot_run_is_said_once() {
    let mut log = Log::listen();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    // Both kinds of step are another program's: one is ready at once, the other when `a` is complete.
    let client = on_file(&path, "a\nleft_by_steering: a").without_worker().build().await.unwrap();
    let worker = Tasker::builder()
        .only_listed_handlers()
        .store_url(format!("sqlite://{}", path.display()))
        .poll_interval(Duration::from_millis(20))
        .handler_fn("a", async |_| StepResult::Ok(1))
        .build()
        .await
        .unwrap();
    let first = client.create_task(new_task()).await.unwrap();
    let line = log.line(&["left_by_steering", "no handler of this program can run"]).await;
    assert!(line.contains("they wait for a worker that has one"), "{line}");
    let second = client.create_task(NewTask::new("test", "flow", &json!({ "n": 2 }))).await.unwrap();
    for id in [first, second] {
        while client.get_task(id).await.unwrap().step("a").unwrap().result.is_none() {
            tokio::task::yield_now().await;
        }
    }
    worker.shutdown().await;
    assert!(log.is_silent_about("left_by_steering"));
    client.shutdown().await;
}

#[test]
fn the_command_line_amends_a_context_and_does_not_resolve_what_may_be_needed() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    let id = created(&store, "templates/user_registration.yaml", r#"{"user_info": {}}"#);
    let task = |arguments: &[&str]| tasker([&["task"], arguments, &["--store", &store]].concat());
    let output = task(&["resolve", &id, "create_user_account"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains(
            "it is not known here whether `setup_billing_profile`, `initialize_preferences` can do"
        ),
        "{said}"
    );
    let file = directory.path().join("context.json");
    std::fs::write(&file, r#"{"user_info": {"email": "ada@example.com"}}"#).unwrap();
    let context = format!("@{}", file.display());
    let amended = json(&task(&["amend", &id, "--context", &context, "--by", "ada", "-r", "typo", "--json"]));
    assert_eq!(amended["context"]["user_info"]["email"], "ada@example.com");
    assert_eq!(
        (&amended["actions"][0]["by"], &amended["actions"][0]["reason"]),
        (&json!("ada"), &json!("typo"))
    );
    assert_eq!(task(&["amend", &id, "--context", "7"]).status.code(), Some(2));
    let timeline = text(&task(&["timeline", &id]).stdout);
    assert!(timeline.contains("amend by ada: typo"), "{timeline}");
    assert_eq!(task(&["resolve", &id, "create_user_account", "--force"]).status.code(), Some(0));
}
