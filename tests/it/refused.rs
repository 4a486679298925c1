//! What a store refuses for its content ends the attempt with a record that the store can hold.

use serde_json::json;
use tasker_runtime::{NewTask, StepContext, StepError, StepResult, StepState, TaskState};

use crate::log::Log;
use crate::postgres::database::Database;
use crate::support::{ended, new_task, on_store};

const SMILE: &str = "hello \u{1F600}";

#[tokio::test]
async fn what_the_encoding_of_a_database_does_not_have_ends_the_attempt_as_a_permanent_failure() {
    let database = Database::with_encoding("LATIN1").await;
    let mut log = Log::listen();
    let tasker = on_store(&database.url(), "returns\nfails\nknown\nafter: known\nfalls\nlast: fails")
        .handler_fn("returns", |_: StepContext| async { StepResult::Ok(SMILE) })
        .handler_fn("fails", |_: StepContext| async {
            StepResult::<()>::Err(StepError::retryable(SMILE).with_context(json!({ "greeting": SMILE })))
        })
        .handler_fn("known", |_: StepContext| async { StepResult::Ok("caf\u{e9}") })
        .handler_fn("after", |context: StepContext| async move { context.dependency::<String>("known") })
        .handler_fn("falls", |_: StepContext| async {
            if true {
                std::panic::resume_unwind(Box::new(SMILE));
            }
            StepResult::Ok(())
        })
        .handler_fn("last", |_: StepContext| async { StepResult::Ok(()) })
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let task = ended(tasker.wait(id).await);
    assert_eq!(task.state, TaskState::BlockedByFailures);
    for (step, says) in [
        ("returns", "the store refused the result: "),
        ("fails", "the error was: hello \\u{1f600}"),
        ("falls", "the error was: the handler panicked: hello \\u{1f600} [PANIC]"),
    ] {
        let step = task.step(step).unwrap();
        assert_eq!((step.state, step.attempts.len()), (StepState::Error, 1), "{step:?}");
        let error = step.error().unwrap();
        assert_eq!(error.code.as_deref(), Some("RECORD_REFUSED"));
        assert!(error.message.is_ascii() && error.message.contains(says), "{error}");
        assert!(error.message.contains("has no equivalent in encoding \"LATIN1\""), "{error}");
    }
    assert_eq!(task.step_output::<String>("after").unwrap(), "caf\u{e9}");
    assert_eq!(task.step("last").unwrap().state, StepState::Pending);
    log.line(&["the store refused the record of an attempt", &id.to_string()]).await;

    // A context is refused to whoever gives it, and nothing is created.
    let error = tasker.create_task(NewTask::new("test", "flow", &json!({ "greeting": SMILE }))).await;
    let error = tasker_runtime::error::chain(&error.unwrap_err());
    assert!(error.contains("refused a record") && error.contains("LATIN1"), "{error}");
    assert_eq!(tasker.list(tasker_runtime::TaskFilter::new()).await.unwrap().len(), 1);
    tasker.shutdown().await;
}
