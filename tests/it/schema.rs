//! What contexts and results must fit: schemas of the template, and limits of the builder.

use serde_json::{Value, json};
use tasker_runtime::clock::Clock;
use tasker_runtime::error::ContextError;
use tasker_runtime::store::MemoryStore;
use tasker_runtime::task::{AttemptOutcome, Step};
use tasker_runtime::{Builder, Error, NewTask, StepContext, StepResult, StepState, Task, TaskState, Tasker};

use crate::program::{json as json_of, tasker, text};
use crate::support::{Ledger, recording, run, run_once, virtual_time};

/// A template called `test/flow` with this `input_schema` and the one step `a`.
fn with_input_schema(schema: &str) -> Builder {
    let yaml = format!(
        "name: flow\nnamespace_name: test\nversion: 1.0.0\ninput_schema: {schema}\n\
         steps:\n  - {{name: a, handler: {{callable: a}}}}\n"
    );
    let builder = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", yaml)
        .store(MemoryStore::new())
        .clock(Clock::paused(jiff::Timestamp::from_second(1_800_000_000).unwrap(), 7));
    recording(builder, &Ledger::default(), &["a"])
}

/// Step `a`, which may be tried three times, returns this; step `b` waits for it.
async fn with_result(more: &str, configure: fn(Builder) -> Builder, result: Value) -> Task {
    let builder = virtual_time(&format!("a | retry: {{max_attempts: 3}}{more}\nb: a"))
        .handler_fn("a", move |_: StepContext| std::future::ready(StepResult::Ok(result.clone())));
    run_once(configure(recording(builder, &Ledger::default(), &["b"]))).await
}

#[track_caller]
fn assert_refused<'t>(task: &'t Task, code: &str) -> &'t Step {
    let step = task.step("a").unwrap();
    assert_eq!((task.state, step.state), (TaskState::BlockedByFailures, StepState::Error));
    assert_eq!((step.attempts.len(), step.attempts[0].outcome), (1, AttemptOutcome::Failed));
    assert!(step.result.is_none());
    assert_eq!(step.error().unwrap().code.as_deref(), Some(code));
    assert_eq!(task.step("b").unwrap().state, StepState::Pending);
    step
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |value, _| json!([value]))
}

async fn created(tasker: &Tasker, context: &Value) -> Result<tasker_runtime::TaskId, Error> {
    tasker.create_task(NewTask::new("test", "flow", context)).await
}

#[tokio::test(start_paused = true)]
async fn a_context_that_does_not_fit_creates_nothing_and_every_violation_is_told() {
    let schema = "{type: object, required: [id], properties: {id: {type: integer}, mail: {format: email}}}";
    let tasker = with_input_schema(schema).build().await.unwrap();
    let error = created(&tasker, &json!({"id": "seven", "mail": "nobody"})).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the context does not fit the `input_schema` of the template: \
         `/id`: the value is not of type \"integer\"; `/mail`: the value is not a \"email\""
    );
    let Error::InvalidContext(ContextError::Schema(violations)) =
        created(&tasker, &json!({})).await.unwrap_err()
    else {
        panic!()
    };
    let violation = violations.iter().next().unwrap();
    assert_eq!((violation.pointer.as_str(), violations.more()), ("", 0));
    assert_eq!(violation.reason, "\"id\" is a required property");
    assert!(tasker.list(tasker_runtime::TaskFilter::default()).await.unwrap().is_empty());
    assert_eq!(run(&tasker, &json!({"id": 7, "mail": "a@b.example"})).await.state, TaskState::Complete);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn twenty_violations_are_told_and_the_rest_is_counted() {
    let schema = "{properties: {items: {items: {type: string}}}}";
    let tasker = with_input_schema(schema).without_worker().build().await.unwrap();
    let error = created(&tasker, &json!({ "items": vec![0; 25] })).await.unwrap_err();
    let Error::InvalidContext(ContextError::Schema(violations)) = &error else { panic!("{error}") };
    assert_eq!((violations.iter().count(), violations.more()), (20, 5));
    assert!(error.to_string().ends_with("; 5 more"), "{error}");
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_does_not_fit_is_a_permanent_failure() {
    let schema = ", result_schema: {type: object, properties: {total: {type: number}}, required: [total]}";
    let task = with_result(schema, |builder| builder, json!({"total": "secret"})).await;
    let error = assert_refused(&task, "RESULT_SCHEMA").error().unwrap();
    assert_eq!(
        error.message,
        "the result of step `a` does not fit its `result_schema`: `/total`: the value is not of type \"number\""
    );
    assert_eq!(
        error.context.as_ref().unwrap(),
        &json!({
            "violations": [{"pointer": "/total", "reason": "the value is not of type \"number\""}],
            "more": 0,
        })
    );
    let task = with_result(schema, |builder| builder, json!({"total": 7.5})).await;
    assert_eq!(task.state, TaskState::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_result_beyond_the_limits_is_a_permanent_failure_with_both_sizes() {
    let small: fn(Builder) -> Builder = |builder| builder.max_result_bytes(100).max_depth(8);
    let task = with_result("", small, json!("x".repeat(99))).await;
    assert_eq!(
        assert_refused(&task, "RESULT_TOO_LARGE").error().unwrap().message,
        "the result of step `a` has 101 bytes, and may have 100 (`max_result_bytes`)"
    );
    assert_eq!(with_result("", small, json!("x".repeat(98))).await.state, TaskState::Complete);
    let task = with_result("", small, nested(9)).await;
    assert_eq!(
        assert_refused(&task, "RESULT_TOO_DEEP").error().unwrap().message,
        "the result of step `a` is nested 9 levels deep, and may be 8 (`max_depth`)"
    );
    assert_eq!(with_result("", small, nested(8)).await.state, TaskState::Complete);
}

#[tokio::test(start_paused = true)]
async fn limits_hold_unless_said_otherwise() {
    assert_refused(&with_result("", |builder| builder, json!("x".repeat(1 << 20))).await, "RESULT_TOO_LARGE");
    assert_refused(&with_result("", |builder| builder, nested(65)).await, "RESULT_TOO_DEEP");
    assert_eq!(with_result("", |builder| builder, nested(64)).await.state, TaskState::Complete);
    // What nobody could read back is never recorded.
    let all: fn(Builder) -> Builder = |builder| builder.max_depth(127).max_result_bytes(256 << 20);
    assert_refused(&with_result("", all, nested(128)).await, "RESULT_TOO_DEEP");
    assert_eq!(with_result("", all, nested(127)).await.step_output::<Value>("a").unwrap(), nested(127));
}

#[tokio::test(start_paused = true)]
async fn a_context_beyond_the_limits_creates_nothing() {
    let builder = virtual_time("a").max_context_bytes(100).max_depth(8);
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let error = created(&tasker, &json!({ "x": "y".repeat(93) })).await.unwrap_err();
    assert!(
        matches!(error, Error::InvalidContext(ContextError::TooLarge { bytes: 101, limit: 100 })),
        "{error}"
    );
    assert_eq!(error.to_string(), "the context has 101 bytes, and may have 100 (`max_context_bytes`)");
    let error = created(&tasker, &json!({ "x": nested(8) })).await.unwrap_err();
    assert!(matches!(error, Error::InvalidContext(ContextError::TooDeep { depth: 9, limit: 8 })), "{error}");
    assert_eq!(error.to_string(), "the context is nested 9 levels deep, and may be 8 (`max_depth`)");
    assert!(tasker.list(tasker_runtime::TaskFilter::default()).await.unwrap().is_empty());
    for context in [json!({ "x": "y".repeat(92) }), json!({ "x": nested(7) })] {
        assert_eq!(run(&tasker, &context).await.state, TaskState::Complete);
    }
    tasker.shutdown().await;
}

const BROKEN: &str = "\
name: flow
namespace_name: test
version: 1.0.0
input_schema:
  properties:
    age: {type: integr}
steps:
  - name: a
    handler: {callable: a}
    result_schema:
      $ref: https://example.com/schema.json
";

#[tokio::test]
async fn a_schema_that_is_none_keeps_the_runtime_from_starting_and_says_where() {
    let broken = || {
        let builder = Tasker::builder().only_listed_handlers().store_url("memory:");
        recording(builder.template_str("flow.yaml", BROKEN), &Ledger::default(), &["a"])
    };
    // One that only creates tasks checks their contexts as well.
    for builder in [broken(), broken().without_worker()] {
        let error = builder.build().await.map(drop).unwrap_err().to_string();
        assert!(
            error.contains(
                "\
error[TSK116]: `input_schema` is no JSON schema at `/properties/age/type`: `integr` is no type of JSON
 --> flow.yaml:6:17
  |
6 |     age: {type: integr}
  |                 ^^^^^^ did you mean `integer`?"
            ),
            "{error}"
        );
        // Nothing is fetched.
        assert!(error.contains("`result_schema` of step `a` is no JSON schema: "), "{error}");
        assert!(error.contains("--> flow.yaml:10:5"), "{error}");
    }
}

#[test]
fn validate_tells_schemas_that_are_none_without_any_handler() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flow.yaml");
    std::fs::write(&path, BROKEN).unwrap();
    let output = tasker(["validate".as_ref(), "--json".as_ref(), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let faults = &json_of(&output)["diagnostics"];
    assert_eq!((&faults[0]["code"], &faults[0]["line"]), (&json!("INVALID_SCHEMA"), &json!(6)));
    assert_eq!(faults.as_array().unwrap().len(), 2);
}
