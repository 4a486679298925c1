//! Why attempts fail, as the page shows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_runtime::operate::Operator;
use tasker_runtime::testing::{CrashPoint, TestEngine};
use tasker_runtime::{StepContext, StepResult, Tasker};
use tasker_store::{MemoryStore, Store};
use tokio::sync::Notify;

use crate::diagnostics::page::{self, Section};
use crate::postgres::database::Database;
use crate::support::{ended, new_task, on_store, unreadable_task, virtual_time};

/// What these tests find; each asks for the sections that it produces.
const BY_HANDLERS: [&str; 11] = [
    "TSK501", "TSK502", "TSK503", "TSK504", "TSK505", "TSK506", "TSK507", "TSK508", "TSK509", "TSK512",
    "TSK515",
];
const BY_OTHERS: [&str; 4] = ["TSK510", "TSK511", "TSK513", "TSK514"];

#[test]
fn each_section_about_attempts_has_its_test() {
    let tested: BTreeSet<_> = BY_HANDLERS.into_iter().chain(BY_OTHERS).map(ToOwned::to_owned).collect();
    let told: BTreeSet<_> = page::sections("TSK5").into_iter().map(|section| section.number).collect();
    assert_eq!(tested, told);
}

#[test]
fn each_example_of_a_handler_fails_as_on_the_page() {
    for number in BY_HANDLERS {
        let section = page::of(number);
        let context = section.blocks("json").next().map_or(json!({}), json);
        let engine = TestEngine::template_str("order.yaml", yaml(&section));
        let engine = if number == "TSK512" { engine.tables("CREATE TABLE orders (id)") } else { engine };
        let run = engine.run_blocking(context);
        let failed: Vec<_> = run.task().failed_steps().collect();
        assert_eq!(failed.len(), 1, "{number}: {:?}", run.task());
        assert_told(&section, &failed[0].error().unwrap().to_string());
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The error is that of the section, by its code and by its text.
#[track_caller]
fn assert_told(section: &Section, error: &str) {
    assert!(error.ends_with(&format!("[{}]", section.word)), "{}: {error}", section.number);
    section.assert_printed(error);
}

/// The template of the section; where it has none, one with a step for its handler.
fn yaml(section: &Section) -> String {
    if let Some(yaml) = section.blocks("yaml").next() {
        return yaml.to_owned();
    }
    let rust = section.block("rust");
    let between = |begin: &str, end: char| rust.split_once(begin).unwrap().1.split(end).next().unwrap();
    let (callable, name) = (between("#[step_handler(\"", '"'), between("async fn ", '('));
    format!(
        "{{name: order, namespace_name: shop, version: 1.0.0, \
         steps: [{{name: {name}, handler: {{callable: '{callable}'}}}}]}}"
    )
}

#[test]
fn the_death_of_a_worker_is_told_as_on_the_page() {
    let engine = TestEngine::template_str("order.yaml", yaml(&page::of("TSK509")))
        .replace("index", |_: StepContext| async { StepResult::Ok(1) });
    // The commit that would record the first attempt.
    let run = engine.run_with_crash_blocking(json!({}), CrashPoint::Before(4));
    let error = run.attempts("index")[0].error.as_ref().unwrap();
    assert_told(&page::of("TSK510"), &error.to_string());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_an_operator_ended_is_told_as_on_the_page() {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let tasker = virtual_time("charge").handler_fn("charge", move |_: StepContext| {
        let begins = Arc::clone(&begins);
        async move {
            begins.notify_one();
            std::future::pending::<StepResult<()>>().await
        }
    });
    let tasker = tasker.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    begun.notified().await;
    let operator = Operator::new("ada").because("ordered twice");
    let task = tasker.cancel(id, &operator).await.unwrap();
    let error = task.step("charge").unwrap().attempts[0].error.as_ref().unwrap().to_string();
    assert_told(&page::of("TSK511"), &error);
    tasker.shutdown().await;
}

#[tokio::test]
async fn what_a_database_cannot_hold_is_told_as_on_the_page() {
    let database = Database::with_encoding("LATIN1").await;
    let tasker = on_store(&database.url(), "greet")
        .handler_fn("greet", |_: StepContext| async { StepResult::Ok("hello \u{1F600}") });
    let tasker = tasker.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let task = ended(tasker.wait(id).await);
    assert_told(&page::of("TSK513"), &task.step("greet").unwrap().error().unwrap().to_string());
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_template_that_cannot_be_read_is_told_as_on_the_page() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let id = unreadable_task(&*store).await;
    let tasker = Tasker::builder().only_listed_handlers().shared_store(Arc::clone(&store));
    let tasker = tasker.build().await.unwrap();
    let task = ended(tasker.wait(id).await);
    let error = task.steps[0].error().unwrap().to_string();
    assert_told(&page::of("TSK514"), &error);
    tasker.shutdown().await;
}
