//! Environments: what a misspelt one does, and who runs the tasks of which.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_runtime::{Builder, NewTask, StepContext, TaskId, Tasker};
use tasker_store::{MemoryStore, Store};
use tempfile::TempDir;

use crate::log::Log;
use crate::patience::output_of;
use crate::program::{greeting, json, tasker, text};

/// A template with a URL for each environment; `plain`, which has none.
fn templates(name: &str) -> Builder {
    let yaml = format!(
        "{{name: {name}, namespace_name: test, version: 1, \
          steps: [{{name: a, handler: {{callable: A, initialization: {{url: live}}}}}}], environments: {{\
            sandbox: {{steps: [{{name: a, handler: {{initialization: {{url: sandbox}}}}}}]}}, \
            production: {{steps: [{{name: a, handler: {{initialization: {{url: production}}}}}}]}}}}}}"
    );
    let plain = "{name: plain, namespace_name: test, version: 1, steps: [{name: a, handler: {callable: A, \
        initialization: {url: plain}}}]}";
    let called = |context: StepContext| async move { context.config::<String>("url") };
    let builder = Tasker::builder().only_listed_handlers().handler_fn("A", called);
    builder.template_str("t.yaml", yaml).template_str("plain.yaml", plain)
}

fn on(store: &Arc<dyn Store>, name: &str, environment: Option<&str>) -> Builder {
    let builder = templates(name).shared_store(Arc::clone(store)).poll_interval(Duration::from_millis(10));
    environment.into_iter().fold(builder, Builder::environment)
}

async fn called(tasker: &Tasker, id: TaskId) -> String {
    tasker.wait(id).await.unwrap().step_output("a").unwrap()
}

#[tokio::test]
async fn an_environment_that_no_template_has_is_refused() {
    for (environment, hint) in
        [("prodction", "did you mean `production`?"), ("staging", "there are: production, sandbox")]
    {
        for builder in [templates("t"), templates("t").without_worker()] {
            let built = builder.environment(environment).store_url("memory:").build().await;
            assert_eq!(
                built.map(drop).unwrap_err().to_string(),
                format!("error[TSK410]: no template here has the environment `{environment}`; {hint}")
            );
        }
    }
    // Without templates there is nothing that it could be compared with.
    Tasker::builder().only_listed_handlers().environment("any").store_url("memory:").build().await.unwrap();
}

#[tokio::test]
async fn a_worker_leaves_the_tasks_of_other_environments_to_others_and_says_so_once() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut log = Log::listen();
    let name = "told_apart";
    let create = async |environment: Option<&str>, template: &str| {
        let client = on(&store, name, environment).without_worker().build().await.unwrap();
        let id = client.create_task(NewTask::new("test", template, &json!({}))).await.unwrap();
        (id, client.get_task(id).await.unwrap().environment)
    };
    let (base, none) = create(None, name).await;
    let (again, _) = create(None, name).await;
    let (production, is_production) = create(Some("production"), name).await;
    let (sandbox, _) = create(Some("sandbox"), name).await;
    let (plain, of_none) = create(Some("production"), "plain").await;
    assert_eq!((none, is_production.as_deref(), of_none), (None, Some("production"), None));

    let worker = on(&store, name, Some("sandbox")).build().await.unwrap();
    assert_eq!(called(&worker, sandbox).await, "sandbox");
    // A template without environments is the same in all of them.
    assert_eq!(called(&worker, plain).await, "plain");
    for other in ["none", "production"] {
        let (task, own) = (format!("task_environment=\"{other}\""), "worker_environment=\"sandbox\"");
        let line = log.line(&["another environment than this worker's", name, &task, own]).await;
        assert!(line.contains("ERROR"), "{line}");
    }
    // Its own tasks it runs meanwhile, and says nothing more.
    for _ in 0..3 {
        let own = worker.create_task(NewTask::new("test", name, &json!({}))).await.unwrap();
        assert_eq!(called(&worker, own).await, "sandbox");
    }
    for id in [base, again, production] {
        let task = worker.get_task(id).await.unwrap();
        assert!(task.steps[0].attempts.is_empty() && task.steps[0].claimed_at.is_none());
    }
    worker.shutdown().await;
    assert!(log.is_silent_about(name));

    let worker = on(&store, name, None).build().await.unwrap();
    assert_eq!([called(&worker, base).await, called(&worker, again).await], ["live", "live"]);
    log.line(&[
        "another environment",
        name,
        "task_environment=\"production\"",
        "worker_environment=\"none\"",
    ])
    .await;
    worker.shutdown().await;
    let worker = on(&store, name, Some("production")).build().await.unwrap();
    assert_eq!(called(&worker, production).await, "production");
    worker.shutdown().await;
}

const YAML: &str = "{name: hello, namespace_name: test, version: 1, \
    steps: [{name: find_name, handler: {callable: 'Greeting::FindName'}}], \
    environments: {sandbox: {steps: [{name: find_name, timeout_seconds: 5}]}}}";

#[test]
fn the_command_line_creates_and_runs_tasks_of_an_environment() {
    let directory = TempDir::new().unwrap();
    let template = directory.path().join("hello.yaml");
    std::fs::write(&template, YAML).unwrap();
    let (template, store) = (template.to_str().unwrap(), directory.path().join("t.db"));
    let store = format!("sqlite://{}", store.display());
    let with = |arguments: &[&str]| -> Vec<String> {
        let context = ["--store", &store, "--context", r#"{"id": 7}"#];
        [arguments, &context].concat().into_iter().map(str::to_owned).collect()
    };
    for arguments in [
        with(&["task", "create", template, "--environment", "sandbx"]),
        with(&["run", template, "--environment", "sandbx"]),
        ["worker", template, "--store", &store, "--environment", "sandbx"].map(str::to_owned).to_vec(),
    ] {
        let output = output_of(greeting().args(&arguments));
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(text(&output.stderr).contains("did you mean `sandbox`?"), "{}", text(&output.stderr));
    }
    // Without an environment a task is one of the template as it stands. A run in another leaves it alone.
    let base = text(&tasker(with(&["task", "create", template])).stdout).trim_end().to_owned();
    let run = output_of(greeting().args(with(&["run", template, "--environment", "sandbox", "--json"])));
    let ran = json(&run);
    assert_eq!((&ran["state"], &ran["environment"]), (&json!("complete"), &json!("sandbox")));
    assert_ne!(ran["id"], json!(base));
    let id = ran["id"].as_str().unwrap();
    let page = text(&tasker(["task", "show", id, "--store", &store]).stdout);
    assert!(page.contains("test/hello 1 in sandbox"), "{page}");
    let run = json(&output_of(greeting().args(with(&["run", template, "--json"]))));
    assert_eq!(
        (&run["id"], &run["state"], &run["environment"]),
        (&json!(base), &json!("complete"), &json!(null))
    );
}
