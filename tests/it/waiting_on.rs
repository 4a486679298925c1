//! What unfinished tasks say that they wait for: through the API in virtual time, and on the command line.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::operate::Operator;
use tasker_runtime::task::{WaitKind, WaitingOn};
use tasker_runtime::{StepContext, StepError, StepResult, Task, TaskFilter, TaskId, Tasker};
use tokio::sync::Notify;

use crate::patience::within;
use crate::program::{created, greeting, json, sqlite, tasker, text};
use crate::support::{new_task, on_store, template, virtual_time};

/// What a step waits for, as kinds with what they refer to.
#[track_caller]
fn step<'t>(task: &'t Task, name: &str) -> Vec<(WaitKind, &'t str)> {
    told(&task.step(name).unwrap().waiting_on)
}

fn told(waits: &[WaitingOn]) -> Vec<(WaitKind, &str)> {
    waits.iter().map(|one| (one.kind, one.reference.as_str())).collect()
}

/// Longer than what was seen of the fleet is good for.
async fn later() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_says_who_runs_it_and_what_the_others_wait_for() {
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let builder = virtual_time("a\nb: a\nc: a, b").handler_fn("a", move |_: StepContext| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            StepResult::Ok(1)
        }
    });
    let builder = builder
        .handler_fn("b", async |_| Err::<(), _>(StepError::permanent("declined")))
        .handler_fn("c", async |_| StepResult::Ok(1));
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!(told(&task.waiting_on), [(WaitKind::InProcess, "a")]);
    let holder = &task.waiting_on[0].holder.as_ref().unwrap().workers[0];
    assert_eq!((Some(holder.worker), holder.alive), (tasker.describe().worker, true));
    assert_eq!(task.waiting_on[0].since, task.step("a").unwrap().claimed_at);
    assert_eq!(step(&task, "b"), [(WaitKind::Dependency, "a")]);
    assert_eq!(step(&task, "c"), [(WaitKind::Dependency, "a"), (WaitKind::Dependency, "b")]);
    let list = tasker.list(TaskFilter::new()).await.unwrap();
    assert_eq!(list[0].waiting_on[0].kind, WaitKind::InProcess);

    go_on.notify_one();
    tasker.wait(id).await.unwrap_err();
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!(told(&task.waiting_on), [(WaitKind::Operator, "b")]);
    assert_eq!(step(&task, "c"), [(WaitKind::Dependency, "b")]);
    let list = tasker.list(TaskFilter::new()).await.unwrap();
    assert_eq!(told(&list[0].waiting_on), [(WaitKind::Operator, "b")]);
    // What is over waits for nothing.
    let task = tasker.cancel(id, &Operator::new("ada")).await.unwrap();
    assert!(task.waiting_on.is_empty() && task.steps.iter().all(|step| step.waiting_on.is_empty()));
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_says_when_its_next_attempt_is_and_a_task_when_it_begins() {
    let builder = virtual_time("a | retry: {max_attempts: 3, backoff: linear, backoff_base_ms: 60000}");
    let tasker =
        builder.handler_fn("a", async |_| Err::<(), _>(StepError::retryable("busy"))).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!(step(&task, "a"), [(WaitKind::Backoff, "a")]);
    let (waits, own) = (&task.waiting_on[0], task.step("a").unwrap());
    assert_eq!((waits.since, waits.until), (Some(own.attempts[0].finished_at), own.next_attempt_at));
    assert_eq!(task.begins_at(), None);

    let tomorrow = task.created_at + 24.hours();
    let id = tasker.create_task(new_task().run_at(tomorrow)).await.unwrap();
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!((step(&task, "a"), task.begins_at()), (vec![(WaitKind::Future, "a")], Some(tomorrow)));
    let list = tasker.list(TaskFilter::new()).await.unwrap();
    assert_eq!(list[0].begins_at(), Some(tomorrow));
    assert_eq!(told(&list[1].waiting_on), [(WaitKind::Backoff, "a")]);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_says_which_limit_it_waits_for_and_who_uses_it_up() {
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let builder = virtual_time("a").handler_fn("a", move |_: StepContext| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            StepResult::Ok(1)
        }
    });
    let tasker = builder.build().await.unwrap();
    let scope = LimitScope::Callable("a".to_owned());
    tasker.set_limit(FleetLimit::new(scope.clone()).concurrency(1)).await.unwrap();
    later().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(tasker.create_task(new_task()).await.unwrap());
        later().await;
    }
    let task = tasker.get_task(ids[1]).await.unwrap();
    assert_eq!(step(&task, "a"), [(WaitKind::Limit, "callable a")]);
    let holder = task.waiting_on[0].holder.as_ref().unwrap();
    assert_eq!((holder.in_use, holder.of), (1, Some(1)));
    assert_eq!(Some(holder.workers[0].worker), tasker.describe().worker);
    let list = tasker.list(TaskFilter::new()).await.unwrap();
    assert_eq!(told(&list[0].waiting_on), [(WaitKind::Limit, "callable a")]);

    tasker.set_limit(FleetLimit::new(scope.clone()).concurrency(0)).await.unwrap();
    later().await;
    go_on.notify_one();
    tasker.wait(ids[0]).await.unwrap();
    later().await;
    let task = tasker.get_task(ids[1]).await.unwrap();
    assert_eq!(step(&task, "a"), [(WaitKind::Paused, "callable a")]);
    tasker.remove_limit(scope).await.unwrap();
    go_on.notify_one();
    tasker.wait(ids[1]).await.unwrap();
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_step_says_which_worker_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite(&directory);
    let flow = |namespace: &str| template("a\nb: a").replace("_name: test", &format!("_name: {namespace}"));
    let worker = |namespace: &str, name: &'static str| {
        let builder = Tasker::builder().only_listed_handlers().store_url(&url).namespaces([namespace]);
        let builder = if namespace == "test" {
            builder
        } else {
            builder.template_str("other.yaml", flow(namespace)).handler_fn("b", async |_| StepResult::Ok(1))
        };
        builder.poll_interval(Duration::from_millis(20)).handler_fn(name, async |_| StepResult::Ok(1)).build()
    };
    let client = on_store(&url, "a\nb: a").without_worker().build().await.unwrap();
    let id = client.create_task(new_task()).await.unwrap();
    let is_missing = async |name: &str, what: &str| {
        let expected = [(WaitKind::NoWorker, what)];
        within(what, async {
            while step(&client.get_task(id).await.unwrap(), name) != expected {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    is_missing("a", "any").await;
    let elsewhere = worker("another", "a").await.unwrap();
    is_missing("a", "namespace test").await;
    let one = worker("test", "a").await.unwrap();
    is_missing("b", "callable b").await;
    let other = worker("test", "b").await.unwrap();
    client.wait(id).await.unwrap();
    for tasker in [elsewhere, one, other, client] {
        tasker.shutdown().await;
    }
}

#[test]
fn the_command_line_says_when_a_task_begins() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    let at = "2199-11-24T10:00:00Z";
    let arguments =
        ["task", "create", "templates/greeting.yaml", "--context", r#"{"id": 7}"#, "--run-at", at];
    let create = |more: &[&str]| tasker([&arguments[..], &["--store", &store], more].concat());
    let output = create(&["--json"]);
    assert_eq!(json(&output)["begins_at"], at);
    let output = create(&["--identity", "always_unique"]);
    let id = text(&output.stdout).trim_end().to_owned();
    id.parse::<TaskId>().unwrap();
    assert_eq!(text(&output.stderr), "it begins at 2199-11-24 10:00:00Z\n");

    let shown = json(&tasker(["task", "show", &id, "--store", &store, "--json"]));
    assert_eq!(shown["waiting_on"][0]["kind"], "future");
    assert_eq!((&shown["waiting_on"][0]["until"], &shown["state"]), (&json!(at), &json!("in_progress")));
    let page = text(&tasker(["task", "show", &id, "--store", &store]).stdout);
    assert!(page.contains("  begins at 2199-11-24 10:00:00Z\n"), "{page}");
    assert!(page.contains("ready until 2199-11-24 10:00:00Z"), "{page}");
    let list = json(&tasker(["task", "list", "--store", &store, "--json"]));
    assert_eq!(list["tasks"][0]["waiting_on"][0]["until"], at);
    let page = text(&tasker(["task", "list", "--store", &store]).stdout);
    assert_eq!(page.matches("begins at 2199-11-24 10:00:00Z").count(), 2, "{page}");

    // `run` waits for it, and says so.
    let mut run = greeting();
    run.args(["run", "templates/greeting.yaml", "--store", &store, "--context", r#"{"id": 8}"#]);
    let mut child = run.args(["--run-at", at]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("task ") && line.ends_with(" begins at 2199-11-24 10:00:00Z"), "{line}");
}

#[test]
fn the_command_line_says_in_a_sentence_what_a_task_waits_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    let id = created(&store, "templates/greeting.yaml", r#"{"id": 7}"#);
    let page = text(&tasker(["task", "show", &id, "--store", &store]).stdout);
    let sentence = "  waits for a worker that can run it: none is alive, since ";
    assert!(page.contains(sentence), "{page}");
    let listed = text(&tasker(["task", "list", "--store", &store]).stdout);
    assert!(listed.contains(sentence.trim_end()), "{listed}");
    let shown: Value = json(&tasker(["task", "show", &id, "--store", &store, "--json"]));
    let waits = &shown["steps"][0]["waiting_on"][0];
    assert_eq!((&waits["kind"], &waits["ref"]), (&json!("no_worker"), &json!("any")));
    waits["since"].as_str().unwrap().parse::<Timestamp>().unwrap();
}
