//! `tasker task create`, and what `tasker run` creates, with the handlers of the greeting example.

use std::path::PathBuf;
use std::process::Output;

use jiff::Timestamp;
use serde_json::{Value, json};
use tasker_runtime::TaskId;
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{greeting, json, tasker, text};

const TEMPLATE: &str = "templates/greeting.yaml";

/// A store in a file of its own.
struct Store {
    _directory: TempDir,
    path: PathBuf,
}

impl Store {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { path: directory.path().join("t.db"), _directory: directory }
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    /// By `tasker` itself, which has no handler.
    fn task(&self, arguments: &[&str]) -> Output {
        let url = self.url();
        tasker([&["task"], arguments, &["--store", &url]].concat())
    }

    fn create(&self, arguments: &[&str]) -> Output {
        self.task(&[&["create", TEMPLATE, "--context", r#"{"id": 7}"#], arguments].concat())
    }

    #[track_caller]
    fn created(&self, arguments: &[&str]) -> TaskId {
        let output = self.create(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).trim_end().parse().unwrap()
    }

    #[track_caller]
    fn show(&self, id: TaskId) -> Value {
        json(&self.task(&["show", &id.to_string(), "--json"]))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let run = ["run", TEMPLATE, "--store", &self.url(), "--context", r#"{"id": 7}"#];
        output_of(greeting().args([&run[..], arguments].concat()))
    }

    /// The ids of all tasks, the newest first.
    fn ids(&self) -> Vec<String> {
        let list = json(&self.task(&["list", "--json"]));
        list["tasks"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_created_task_has_what_was_asked_for_and_a_worker_runs_it() {
    let store = Store::new();
    let (correlation, parent) = (TaskId::random().to_string(), TaskId::random().to_string());
    let options = [
        ["--priority", "-5"],
        ["--tag", "red"],
        ["--tag", "blue"],
        ["--correlation-id", &correlation],
        ["--parent-correlation-id", &parent],
        ["--initiator", "ada"],
        ["--source-system", "shop"],
        ["--reason", "a test"],
    ];
    let id = store.created(&options.concat());
    let task = store.show(id);
    assert_eq!((&task["state"], &task["priority"]), (&json!("in_progress"), &json!(-5)));
    assert_eq!((&task["correlation_id"], &task["context"]), (&json!(correlation), &json!({ "id": 7 })));
    let origin = json!({
        "initiator": "ada", "source_system": "shop", "reason": "a test", "tags": ["red", "blue"],
        "parent_correlation_id": parent,
    });
    assert_eq!(task["origin"], origin);
    // Nothing is claimed by the process that created it.
    assert!(task["steps"].as_array().unwrap().iter().all(|step| step["claimed_at"].is_null()));

    let output = store.run(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let task = json(&output);
    assert_eq!((&task["id"], &task["state"]), (&json!(id), &json!("complete")));
    assert_eq!(store.ids(), [id.to_string()]);
}

#[test]
fn a_created_task_can_begin_later() {
    let store = Store::new();
    let before = Timestamp::now();
    let id = store.created(&["--run-at", "in 10m"]);
    let due: Timestamp = store.show(id)["steps"][0]["next_attempt_at"].as_str().unwrap().parse().unwrap();
    assert!((598..=660).contains(&due.duration_since(before).as_secs()), "{due}");
    let id = store.created(&["--run-at", "2199-11-24T10:00:00Z"]);
    assert_eq!(store.show(id)["steps"][0]["next_attempt_at"], "2199-11-24T10:00:00Z");
    // Nobody waits for them who asks for another task.
    let output = store.run(&["--identity", "always_unique", "--json"]);
    assert_eq!(json(&output)["state"], "complete");
}

#[test]
fn a_duplicate_is_told_with_the_task_that_is_there() {
    let store = Store::new();
    let first = store.created(&["--idempotency-key", "order-7"]);
    let again = store.create(&["--idempotency-key", "order-7"]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(1), String::new()));
    let message =
        format!("task {first} is the same: it has the idempotency key `order-7`; nothing was created");
    assert_eq!(text(&again.stderr), format!("error: {message}\n"));
    let again = store.create(&["--idempotency-key", "order-7", "--json"]);
    assert_eq!(again.status.code(), Some(1));
    let expected = json!({ "created": false, "id": first, "error": "duplicate", "message": message });
    assert_eq!(json(&again), expected);
    let other = ["create", TEMPLATE, "--context", r#"{"id": 8}"#, "--idempotency-key", "order-7", "--json"];
    let other = store.task(&other);
    assert_eq!(other.status.code(), Some(1));
    let answer = json(&other);
    assert_eq!((&answer["error"], &answer["id"]), (&json!("key_reused"), &json!(first)));

    let strict = json(&store.create(&["--identity", "strict", "--json"]));
    assert_eq!(strict["created"], true);
    let again = json(&store.create(&["--identity", "strict", "--json"]));
    assert_eq!((&again["created"], &again["id"]), (&json!(false), &strict["id"]));
    assert_eq!(json(&store.create(&["--identity", "always_unique", "--json"]))["created"], true);
    assert_eq!(store.ids().len(), 3);
}

#[test]
fn a_run_goes_on_with_its_own_task_and_repeats_none() {
    let store = Store::new();
    // As a run leaves it that ended too early.
    let left = store.created(&["--idempotency-key", "k"]);
    let output = store.run(&["--idempotency-key", "k"]);
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{page}{}", text(&output.stderr));
    assert!(page.starts_with("going on with 1 task that") && page.contains("Hello, Ada!"), "{page}");
    assert_eq!(store.ids(), [left.to_string()]);

    let again = store.run(&["--idempotency-key", "k"]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(1), String::new()));
    let errors = text(&again.stderr);
    assert!(errors.contains(&format!("task {left} is the same")), "{errors}");
    let again = store.run(&["--idempotency-key", "k", "--json"]);
    assert_eq!((again.status.code(), &json(&again)["id"]), (Some(1), &json!(left)));

    for (identity, code) in [("strict", 0), ("strict", 1), ("always_unique", 0), ("always_unique", 0)] {
        let output = store.run(&["--identity", identity, "--json"]);
        assert_eq!(output.status.code(), Some(code), "{identity}: {}", text(&output.stdout));
    }
    assert_eq!(store.ids().len(), 4);
}

#[test]
fn an_unfinished_task_with_the_same_context_keeps_its_own_options() {
    let store = Store::new();
    let left = store.created(&["--tag", "old"]);
    let output = store.run(&["--tag", "new", "--json"]);
    assert_eq!(json(&output)["id"], json!(left));
    let errors = text(&output.stderr);
    assert!(errors.contains("`--identity always_unique` creates another one"), "{errors}");
    assert_eq!(store.show(left)["origin"]["tags"], json!(["old"]));
}

#[test]
fn slips_are_usage_errors() {
    let store = Store::new();
    for (arguments, expected) in [
        (&["--identity", "strict", "--idempotency-key", "k"][..], "cannot be used with"),
        (&["--identity", "caller_provided"], "[possible values: strict, always_unique]"),
        (&["--idempotency-key", ""], "a value is required"),
        (&["--priority", "101"], "101 is not in -100..=100"),
        (&["--run-at", "soon"], "write a time, such as `2026-11-24T10:00:00Z`"),
        (&["--correlation-id", "7"], "--correlation-id <UUID>"),
        (&["--context", "[1]"], "the context must be a JSON object"),
    ] {
        let mut own = vec!["create", TEMPLATE];
        own.extend(arguments);
        let mut run = vec!["run", TEMPLATE];
        run.extend(arguments);
        for output in [store.task(&own), tasker(run)] {
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        }
    }
    let output = store.task(&["create", "no/such.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no template `no/such.yaml`"));
    let output = tasker(["task", "create", TEMPLATE, "--store", "memory:"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("a task in memory ends with this process"));
    assert!(!store.path.exists());
}
