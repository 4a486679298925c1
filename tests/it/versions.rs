//! Several versions of a template beside each other.

use serde_json::json;
use tasker_runtime::{Error, NewTask, StepContext, Tasker};

use crate::support::template;

/// A runtime with these versions of `test/flow`, whose step returns its version.
async fn with(versions: &[&str]) -> Tasker {
    let builder = Tasker::builder().only_listed_handlers().store_url("memory:");
    let builder =
        builder.handler_fn("a", |context: StepContext| async move { context.config::<String>("is") });
    let builder = versions.iter().fold(builder, |builder, version| {
        let yaml = template("a").replace("1.0.0", &format!("'{version}'"));
        let yaml = yaml.replace("callable: a", &format!("callable: a, initialization: {{is: '{version}'}}"));
        builder.template_str(format!("{version}.yaml"), yaml)
    });
    builder.build().await.unwrap()
}

fn new() -> NewTask {
    NewTask::new("test", "flow", &json!({}))
}

async fn version_of(tasker: &Tasker, task: NewTask) -> String {
    let id = tasker.create_task(task).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.step_output::<String>("a").unwrap(), task.version);
    task.version
}

#[tokio::test]
async fn the_latest_version_can_be_asked_for() {
    let tasker = with(&["1.10.0", "1.9.2", "1.10.0-rc.1", "1.2"]).await;
    assert_eq!(version_of(&tasker, new().latest()).await, "1.10.0");
    assert_eq!(version_of(&tasker, new().version("1.2")).await, "1.2");
    // The last word counts.
    assert_eq!(version_of(&tasker, new().latest().version("1.9.2")).await, "1.9.2");
    assert_eq!(version_of(&tasker, new().version("1.9.2").latest()).await, "1.10.0");
    tasker.shutdown().await;
    // A version may be called so.
    let tasker = with(&["latest", "z"]).await;
    assert_eq!(version_of(&tasker, new().version("latest")).await, "latest");
    assert_eq!(version_of(&tasker, new().latest()).await, "z");
    tasker.shutdown().await;
}

#[tokio::test]
async fn an_answer_about_versions_names_them() {
    let tasker = with(&["1.1.0", "1.0.0"]).await;
    let error = tasker.create_task(new()).await.unwrap_err();
    assert!(matches!(&error, Error::SeveralVersions { versions, .. } if versions == &["1.0.0", "1.1.0"]));
    assert_eq!(
        error.to_string(),
        "`test/flow` has versions 1.0.0 and 1.1.0: say which with `.version(…)`, or ask for the latest with \
         `.latest()`"
    );
    let error = tasker.create_task(new().version("1.2.0")).await.unwrap_err().to_string();
    assert_eq!(error, "there is no template `test/flow/1.2.0`; `test/flow` has versions 1.0.0 and 1.1.0");
    for task in [NewTask::new("test", "flaw", &json!({})), NewTask::new("test", "flaw", &json!({})).latest()]
    {
        let error = tasker.create_task(task).await.unwrap_err().to_string();
        assert_eq!(error, "there is no template `test/flaw`; did you mean `test/flow`?");
    }
    tasker.shutdown().await;
    let tasker = with(&["1.0.0"]).await;
    let error = tasker.create_task(new().version("2")).await.unwrap_err().to_string();
    assert_eq!(error, "there is no template `test/flow/2`; `test/flow` has version 1.0.0");
    tasker.shutdown().await;
}
