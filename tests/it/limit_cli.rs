//! `tasker limit`, with real processes.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::{StepContext, StepResult, Tasker};
use tasker_store::{MemoryStore, Store};

use crate::log::Log;
use crate::postgres::Schema;
use crate::program::{created, json as printed, sqlite, tasker, text};

fn limit(arguments: &[&str], store: &str) -> std::process::Output {
    tasker([&["limit"], arguments, &["--store", store]].concat())
}

fn listed(store: &str) -> Value {
    printed(&limit(&["list", "--json"], store))["limits"].clone()
}

fn the_command_line_sets_lists_and_removes(store: &str) {
    let done = |arguments: &[&str]| {
        let output = limit(arguments, store);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let callable = ["--callable", "Billing::Charge"];
    done(&["set", "--namespace", "billing", "--concurrency", "0"]);
    let both = [&["set", "--concurrency", "10", "--rate", "100/s"], &callable[..]].concat();
    assert_eq!(done(&both), "callable `Billing::Charge`: at most 10 at a time, at most 100/s\n");
    let page = "callable `Billing::Charge`  at most 10 at a time, at most 100/s  0 of 10 held\n\
        namespace `billing`  paused  0 of 0 held\n";
    assert_eq!(done(&["list"]), page);
    let charge = json!({
        "scope": "callable", "name": "Billing::Charge", "concurrency": 10, "rate": "100/s", "held": 0,
        "workers": 0, "waiting": 0,
    });
    assert_eq!(listed(store)[0], charge);
    // What is set takes the place of what was there.
    done(&[&["set", "--rate", "5/min"], &callable[..]].concat());
    assert_eq!(
        (&listed(store)[0]["concurrency"], &listed(store)[0]["rate"]),
        (&json!(null), &json!("5/min"))
    );
    done(&[&["remove"], &callable[..]].concat());
    let output = limit(&[&["remove"], &callable[..]].concat(), store);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: there is no limit on callable `Billing::Charge`; there are limits on: namespace `billing`\n"
    );
    assert_eq!(done(&["remove", "--namespace", "billing", "--json"]), "{\"limits\":[]}\n");
    assert_eq!(done(&["list"]), "nothing is limited\n");
}

#[test]
fn the_command_line_sets_limits_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("t.db").display());
    // A slip in the path is not taken for a store without limits.
    let output = limit(&["list"], &store);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no store"), "{}", text(&output.stderr));
    assert_eq!(tasker(["migrate", "--store", &store]).status.code(), Some(0));
    the_command_line_sets_lists_and_removes(&store);
}

#[test]
fn the_command_line_sets_limits_of_a_database() {
    let schema = Schema::new();
    let output = limit(&["list"], &schema.url());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(schema.name()), "{}", text(&output.stderr));
    assert_eq!(tasker(["migrate", "--store", &schema.url()]).status.code(), Some(0));
    the_command_line_sets_lists_and_removes(&schema.url());
}

#[test]
fn a_limit_on_what_nothing_knows_is_set_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    created(&store, "templates/greeting.yaml", r#"{"id": 7}"#);
    let set = |scope: &[&str]| {
        let output = limit(&[&["set", "--concurrency", "1"], scope].concat(), &store);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    // The template is known from the store alone.
    assert_eq!(set(&["--callable", "Greeting::Greet"]), "");
    assert_eq!(set(&["--namespace", "docs"]), "");
    let unknown = "warning: no worker that is alive and no template of the store knows the";
    assert_eq!(
        set(&["--callable", "Greeting::Gret"]),
        format!("{unknown} callable `Greeting::Gret`; did you mean `Greeting::Greet`?\n")
    );
    assert_eq!(
        set(&["--namespace", "billing", "--json"]),
        format!("{unknown} namespace `billing`; the limit holds as soon as there is one\n")
    );
    assert_eq!(listed(&store).as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_a_worker_has_a_handler_for_can_be_limited_without_a_warning() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let on = || Tasker::builder().only_listed_handlers().shared_store(Arc::clone(&store));
    let worker =
        on().namespaces(["billing"]).handler_fn("Charge", |_: StepContext| async { StepResult::Ok(()) });
    let (worker, client) = (worker.build().await.unwrap(), on().without_worker().build().await.unwrap());
    let callable = |name: &str| LimitScope::Callable(name.to_owned());
    let unknown = async |scope| client.unknown_scope(&scope).await.unwrap();
    assert_eq!(unknown(callable("Charge")).await, None);
    assert_eq!(unknown(LimitScope::Namespace("billing".to_owned())).await, None);
    assert!(unknown(callable("Charg")).await.unwrap().ends_with("did you mean `Charge`?"));
    let mut log = Log::listen();
    client.set_limit(FleetLimit::new(callable("Chargee")).concurrency(1)).await.unwrap();
    log.line(&["knows the callable `Chargee`; did you mean `Charge`?"]).await;
    // A worker that has left is heard no more.
    worker.shutdown().await;
    assert!(unknown(callable("Charge")).await.is_some());
}

#[test]
fn wrong_arguments_of_a_limit_are_told() {
    for (arguments, says) in [
        (&["set", "--callable", "a"][..], "--concurrency <N>|--rate <RATE>"),
        (&["set", "--concurrency", "1"], "--callable <NAME>|--namespace <NAME>"),
        (&["set", "--callable", "a", "--namespace", "b", "--concurrency", "1"], "cannot be used with"),
        (&["set", "--callable", "", "--concurrency", "1"], "--callable"),
        (&["set", "--callable", "a", "--concurrency", "-1"], "-1"),
        (&["set", "--callable", "a", "--rate", "0/s"], "write how many starts in how much time"),
        (&["set", "--callable", "a", "--rate", "fast"], "such as `100/s`, `5/min`, `20/h` or `3/10s`"),
        (&["remove"], "--callable <NAME>|--namespace <NAME>"),
    ] {
        let output = limit(arguments, "memory:");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}
