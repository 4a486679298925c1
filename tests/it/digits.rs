//! Numbers keep their digits, wherever they come from and go to.

use serde_json::json;
use serde_json::value::RawValue;
use tasker_runtime::json::Json;
use tasker_runtime::{Error, IdentityStrategy, NewTask, StepContext, StepError, StepResult, TaskState};

use crate::program::{program, tasker, text};
use crate::support::{ended, on_file, template, virtual_time};

const DIGITS: &str = "123456789012345678901234567890.12345678901234567890";

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[tokio::test]
async fn a_context_and_a_result_of_the_command_line_are_kept_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let (path, file) = (directory.path().join("t.db"), directory.path().join("flow.yaml"));
    std::fs::write(&file, template("a\nb | retry: {max_attempts: 1}")).unwrap();
    let context = directory.path().join("context.json");
    std::fs::write(&context, format!("{{\n  \"n\": {DIGITS},\n  \"text\": \" [ \"\n}}\n")).unwrap();
    let store = format!("sqlite://{}", path.display());
    let call = |arguments: &[&str]| {
        let output = tasker([arguments, &["--store", &store]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    };
    let context = format!("@{}", context.display());
    let id = call(&["task", "create", file.to_str().unwrap(), "--context", &context]);

    let tasker = on_file(&path, "a\nb | retry: {max_attempts: 1}")
        .handler_fn("a", |context: StepContext| async move { context.input_field::<Json>("n") })
        .handler_fn("b", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("no")) })
        .build()
        .await
        .unwrap();
    let task = ended(tasker.wait(id.parse().unwrap()).await);
    assert_eq!(task.step("a").unwrap().result.as_ref().unwrap().get(), DIGITS);
    tasker.shutdown().await;

    let result = format!("{{ \"n\" : {DIGITS} }}");
    call(&["task", "complete", &id, "b", "--result", &result]);
    let shown = call(&["task", "show", &id, "--json"]);
    for part in
        [format!(r#""context":{{"n":{DIGITS},"text":" [ "}}"#), format!(r#""result":{{"n":{DIGITS}}}"#)]
    {
        assert!(shown.contains(&part), "{shown}");
    }
    assert!(call(&["task", "show", &id]).contains(DIGITS));
    let listed = call(&["task", "list", "--json"]);
    assert!(listed.contains(&format!(r#""n":{DIGITS}"#)), "{listed}");
    assert_eq!((shown.lines().count(), listed.lines().count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn contexts_are_the_same_only_if_all_their_digits_are() {
    let tasker = virtual_time("a").without_worker().build().await.unwrap();
    let create = async |context: String| {
        let task = NewTask::new("test", "flow", &raw(&context)).identity(IdentityStrategy::Strict);
        tasker.create_task(task).await
    };
    create(format!(r#"{{"n": {DIGITS}, "m": 1.5}}"#)).await.unwrap();
    create(format!(r#"{{"n": {DIGITS}1, "m": 1.5}}"#)).await.unwrap();
    let error = create(format!(r#"{{"m":1.50,"n":{DIGITS}0}}"#)).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { same_context: Some(true), .. }), "{error}");
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_json_already_is_kept_and_put_on_one_line() {
    let tasker = virtual_time("a\nb: a")
        .handler_fn("a", |_: StepContext| async {
            StepResult::Ok(raw(&format!("[ {DIGITS},\n 1.0, 1E5, \" , \" ]")))
        })
        .handler_fn("b", |context: StepContext| async move { context.dependency::<Vec<Json>>("a") })
        .build()
        .await
        .unwrap();
    let task = crate::support::run(&tasker, &json!({})).await;
    assert_eq!(task.state, TaskState::Complete);
    for step in ["a", "b"] {
        let result = task.step(step).unwrap().result.as_ref().unwrap();
        assert_eq!(result.get(), format!(r#"[{DIGITS},1.0,1E5," , "]"#));
    }
    tasker.shutdown().await;
}

#[test]
fn a_context_from_an_endless_file_is_refused() {
    let output = program()
        .args([
            "task",
            "create",
            "templates/greeting.yaml",
            "--store",
            "sqlite://no.db",
            "--context",
            "@/dev/full",
        ])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot read /dev/full: it has more than 268435456 bytes"), "{said}");
}
