//! What is too large, too deep, or no JSON at all is refused before it is written, and never harms the worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker_runtime::error::{ContextError, ErrorRecord, chain};
use tasker_runtime::operate::Operator;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{
    Error, NewTask, StepContext, StepError, StepResult, StepState, Task, TaskState, Tasker, step_handler,
};

use crate::log::Log;
use crate::support::{flow, on_file, run, run_once, virtual_time};

/// Nested as deep as one likes, as a type of the application.
#[derive(Serialize, Deserialize)]
struct Nested {
    inner: Option<Box<Nested>>,
}

impl Nested {
    fn new(levels: usize) -> Self {
        (1..levels).fold(Self { inner: None }, |inner, _| Self { inner: Some(Box::new(inner)) })
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |value, _| Value::Array(vec![value]))
}

#[step_handler("Payload::Deep")]
async fn deep() -> Nested {
    Nested::new(5_000)
}

#[step_handler("Payload::DeepResult")]
async fn deep_result() -> Result<Nested, StepError> {
    Ok(Nested::new(5_000))
}

#[derive(Serialize, Deserialize)]
struct Quote {
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    price: f64,
    note: Option<String>,
}

fn quote(price: f64) -> Quote {
    let plain = || Item { price: 1.5, note: None };
    Quote { items: vec![plain(), plain(), Item { price, note: None }] }
}

#[step_handler("Payload::Quote")]
async fn quoted() -> Quote {
    quote(f64::NAN)
}

const HANDLERS: &str = "
name: handlers
namespace_name: test
version: 1.0.0
steps:
  - {name: deep, handler: {callable: 'Payload::Deep'}}
  - {name: deep_result, handler: {callable: 'Payload::DeepResult'}}
  - {name: quoted, handler: {callable: 'Payload::Quote'}}
";

#[track_caller]
fn failed_once<'t>(task: &'t Task, step: &str) -> &'t ErrorRecord {
    let step = task.step(step).unwrap();
    assert_eq!((step.state, step.attempts.len()), (StepState::Error, 1));
    assert_eq!((step.attempts[0].outcome, &step.result), (AttemptOutcome::Failed, &None));
    step.error().unwrap()
}

/// On threads of the ordinary size, whose stack a value of 5 000 levels would overflow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_nested_without_end_fails_its_step_and_the_worker_goes_on() {
    let builder = Tasker::builder().template_str("handlers.yaml", HANDLERS).store_url("memory:");
    let builder =
        builder.handler_fn("closure", |_: StepContext| async { StepResult::Ok(Nested::new(5_000)) });
    let tasker = builder
        .template_str("flow.yaml", crate::support::template("closure"))
        .handler_fn("other", |_: StepContext| async { StepResult::Ok(1) })
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(NewTask::new("test", "handlers", &json!({}))).await.unwrap();
    let task = crate::support::ended(tasker.wait(id).await);
    for step in ["deep", "deep_result"] {
        let error = failed_once(&task, step);
        assert_eq!(error.code.as_deref(), Some("RESULT_TOO_DEEP"));
        assert_eq!(
            error.message,
            format!(
                "the result of step `{step}` is nested more than 127 levels deep, and may be 64 (`max_depth`)"
            )
        );
    }
    let task = run(&tasker, &json!({})).await;
    assert_eq!(failed_once(&task, "closure").code.as_deref(), Some("RESULT_TOO_DEEP"));
    let error = failed_once(&tasker.get_task(id).await.unwrap(), "quoted").to_string();
    assert_eq!(
        error,
        "the result of step `quoted` cannot be written as JSON: `items[2].price` is NaN, which JSON does not \
         have [INVALID_RESULT]"
    );
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_json_has_no_number_for_fails_the_step_that_returned_it() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let task = run_once(
            virtual_time("a\nb: a")
                .handler_fn("a", move |_: StepContext| async move { StepResult::Ok(Some(number)) })
                .handler_fn("b", |context: StepContext| async move { context.dependency::<f64>("a") }),
        )
        .await;
        let error = failed_once(&task, "a");
        assert_eq!(error.code.as_deref(), Some("INVALID_RESULT"));
        let expected = format!("it is {number}, which JSON does not have");
        assert!(error.message.ends_with(&expected), "{error}");
        assert!(task.step("b").unwrap().attempts.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_json_has_no_number_for_is_refused_as_a_context_and_from_an_operator() {
    let builder = virtual_time("a | retry: {max_attempts: 1}")
        .handler_fn("a", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("no")) });
    let tasker = builder.build().await.unwrap();
    let error = tasker.create_task(NewTask::new("test", "flow", &quote(f64::NAN))).await.unwrap_err();
    assert!(matches!(error, Error::InvalidContext(ContextError::Unwritable(_))), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the context cannot be written as JSON: `items[2].price` is NaN, which JSON does not have"
    );
    let task = run(&tasker, &json!({})).await;
    let error = tasker.complete_step(task.id, "a", &quote(f64::INFINITY), &Operator::new("ada")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("`items[2].price` is inf, which JSON does not have"), "{error}");
    let task = tasker.complete_step(task.id, "a", &quote(0.5), &Operator::new("ada")).await.unwrap();
    assert_eq!(task.state, TaskState::Complete);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_context_that_is_nested_without_end_creates_nothing() {
    let tasker = virtual_time("a").without_worker().build().await.unwrap();
    let error = tasker.create_task(NewTask::new("test", "flow", &Nested::new(5_000))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the context is nested more than 127 levels deep, and may be 64 (`max_depth`)"
    );
    let error = tasker.create_task(NewTask::new("test", "flow", &BTreeMap::from([((1, 2), 3)]))).await;
    assert_eq!(error.unwrap_err().to_string(), "the context cannot be written as JSON: key must be a string");
    tasker.shutdown().await;
}

/// Another handler's error, which the database driver of an application may have filled with anything.
fn failing(make: impl Fn() -> StepError + Send + Sync + 'static) -> ErrorRecord {
    let run = flow("a")
        .replace("a", move |_: StepContext| {
            let error = make();
            async move { StepResult::<()>::Err(error) }
        })
        .run_blocking(json!({}));
    run.assert_failed("a").clone()
}

#[test]
fn the_context_of_an_error_has_the_limits_of_a_result_and_the_message_is_kept() {
    for (context, note) in [
        (nested(65), "it is nested 65 levels deep, and may be 64"),
        (nested(127), "it is nested 127 levels deep, and may be 126"),
        (nested(5_000), "it is nested 5000 levels deep, and may be 126"),
        (json!("x".repeat(2 << 20)), "it has 2097154 bytes, and may have 1048576"),
    ] {
        let context = std::sync::Mutex::new(Some(context));
        let error = failing(move || {
            let context = context.lock().unwrap().take().unwrap();
            StepError::permanent("declined").with_code("DECLINED").with_context(context)
        });
        assert_eq!(error.to_string(), "declined [DECLINED]");
        let expected = format!("the context of this error is not kept: {note}");
        assert_eq!(error.context.unwrap(), json!({ "omitted": expected }));
    }
    let error = failing(|| StepError::permanent("declined").with_context(nested(64)));
    assert_eq!(error.context, Some(nested(64)));
}

/// What is printed of it, stored of it, and told of it.
#[tokio::test]
async fn a_message_of_megabytes_is_cut_before_it_is_stored_logged_and_shown() {
    const LONG: usize = 4 << 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let mut log = Log::listen();
    let steps = "fails | retry: {max_attempts: 2, backoff: none}\npanics | retry: {max_attempts: 1}";
    let tasker = on_file(&path, steps)
        .handler_fn("fails", |_: StepContext| async {
            let error = StepError::retryable("\u{e9}".repeat(LONG / 2)).with_code("C".repeat(1_000));
            StepResult::<()>::Err(error)
        })
        .handler_fn("panics", |_: StepContext| async {
            if true {
                std::panic::resume_unwind(Box::new("p".repeat(LONG)));
            }
            StepResult::Ok(())
        })
        .build()
        .await
        .unwrap();
    let task = run(&tasker, &json!({})).await;
    let fails = task.step("fails").unwrap();
    assert_eq!((fails.state, fails.attempts.len()), (StepState::Error, 2));
    for (step, begins, ends) in [
        ("fails", "\u{e9}\u{e9}", "\u{e9}… (4194304 bytes in all)"),
        ("panics", "the handler panicked: pp", "p… (4194326 bytes in all)"),
    ] {
        let error = task.step(step).unwrap().error().unwrap();
        assert!(error.message.starts_with(begins) && error.message.ends_with(ends), "{}", error.message);
        assert!(error.message.len() < 17_000, "{} bytes", error.message.len());
    }
    assert_eq!(fails.error().unwrap().code, Some(format!("{}… (1000 bytes in all)", "C".repeat(256))));
    let line = log.line(&["an attempt failed", &task.id.to_string(), "bytes in all"]).await;
    assert!(line.len() < 20_000, "{} bytes", line.len());
    let shown = chain(&tasker.wait(task.id).await.unwrap_err());
    assert!(shown.len() < 40_000, "{} bytes", shown.len());
    tasker.shutdown().await;
    let size: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size < 1 << 20, "{size} bytes on disk");
}
