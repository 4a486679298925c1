//! `tasker worker` and `worker list`, with real processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::{PATIENCE, end_of, output_of};
use crate::postgres::Schema;
use crate::program::{created, example, greeting, json, root, shop, sqlite, tasker, text};

/// A worker in a process of its own; killed with this.
struct Worker {
    child: Child,
    id: String,
    /// What it said of itself.
    begun: Value,
    lines: Receiver<Value>,
}

impl Worker {
    /// Starts `program … worker … --json`, and waits until it is there.
    fn start(mut command: Command, arguments: &[&str]) -> Self {
        command.args(arguments).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel::<Value>();
        std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(serde_json::from_str(&line).unwrap())));
        });
        let Ok(first) = lines.recv_timeout(PATIENCE) else {
            let mut errors = String::new();
            child.kill().unwrap();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("the worker did not start: {errors}");
        };
        assert_eq!(first["event"], "worker_started", "{first}");
        Self { child, id: first["worker"].as_str().unwrap().to_owned(), begun: first, lines }
    }

    /// The next line about a task that has settled.
    fn settled(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    fn signal(&self, name: &str) {
        let signalled =
            Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(signalled.unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        end_of(&mut self.child, "the worker", PATIENCE)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until the answer is a good one.
#[track_caller]
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "what is waited for does not come");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn task(store: &str, id: &str) -> Value {
    json(&tasker(["task", "show", id, "--store", store, "--json"]))
}

#[track_caller]
fn complete(store: &str, id: &str) -> Value {
    until(|| Some(task(store, id)).filter(|task| task["state"] == "complete"))
}

/// Who made the attempts of a task.
fn made_by(task: &Value) -> Vec<&str> {
    let attempts = task["steps"].as_array().unwrap().iter();
    attempts
        .flat_map(|step| step["attempts"].as_array().unwrap())
        .map(|one| one["worker"].as_str().unwrap())
        .collect()
}

fn workers(store: &str) -> Vec<Value> {
    let output = tasker(["worker", "list", "--store", store, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    json(&output)["workers"].as_array().unwrap().clone()
}

const REGISTRATION: &str = "templates/user_registration.yaml";
const USER: &str = r#"{"user_info": {"email": "ada@example.com", "name": "Ada", "plan": "pro"}}"#;

/// Workers of two namespaces. Both have the handlers of both, and a third namespace is nobody's.
fn each_runs_its_own_namespaces(store: &str) {
    let directory = TempDir::new().unwrap();
    let greeting_yaml = std::fs::read_to_string(root().join("templates/greeting.yaml")).unwrap();
    for namespace in ["billing", "shop"] {
        let yaml = greeting_yaml.replace("namespace_name: docs", &format!("namespace_name: {namespace}"));
        std::fs::write(directory.path().join(format!("{namespace}.yaml")), yaml).unwrap();
    }
    // This one has handlers in another program.
    std::fs::copy(root().join(REGISTRATION), directory.path().join("other.yaml")).unwrap();
    let templates = directory.path().to_str().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let start = |namespaces| {
        let options = ["--namespaces", namespaces, "--concurrency", "3", "--poll-interval", "100ms"];
        Worker::start(greeting(), &[&["worker", templates, "--store", store], &options[..]].concat())
    };
    let other = created(store, REGISTRATION, USER);
    let (billing, mut shop) = (start("billing"), start("shop"));
    let mut ids = Vec::new();
    for _ in 0..4 {
        for (namespace, worker) in [("billing", &billing.id), ("shop", &shop.id)] {
            ids.push((created(store, &path(&format!("{namespace}.yaml")), r#"{"id": 7}"#), worker.clone()));
        }
    }
    for (id, worker) in &ids {
        assert_eq!(made_by(&complete(store, id)), [worker, worker]);
    }
    assert_eq!(shop.settled()["event"], "task_settled");
    // Nobody serves its namespace, and nobody misses its handlers.
    assert_eq!(made_by(&task(store, &other)), [""; 0]);

    let known = workers(store);
    let of = |id: &str| known.iter().find(|worker| worker["id"] == id).unwrap();
    let one = of(&billing.id);
    assert_eq!((&one["namespaces"], &one["alive"]), (&json!(["billing"]), &json!(true)));
    assert_eq!((&one["handlers"], &one["concurrency"], &one["running"]), (&json!(2), &json!(3), &json!(0)));
    assert_eq!(one["process"], billing.child.id());
    assert_eq!(of(&shop.id)["namespaces"], json!(["shop"]));
    shop.signal("KILL");
    shop.wait();
    let page = until(|| {
        let page = text(&tasker(["worker", "list", "--store", store]).stdout);
        // One that left nothing behind may have been forgotten by the other already.
        page.lines().all(|line| !line.starts_with(&shop.id) || line.contains("dead")).then_some(page)
    });
    assert!(page.contains(&format!("{}  alive", billing.id)), "{page}");
}

#[test]
fn each_worker_runs_its_own_namespaces_on_a_file() {
    let directory = TempDir::new().unwrap();
    each_runs_its_own_namespaces(&sqlite(&directory));
}

#[test]
fn each_worker_runs_its_own_namespaces_on_postgres() {
    let schema = Schema::new();
    each_runs_its_own_namespaces(&schema.url_with("lease=1"));
}

fn registering(latency: &str, store: &str) -> Worker {
    Worker::start(example(), &["worker", "--latency", latency, "--store", store, "--poll-interval", "100ms"])
}

/// The names of the steps that are running.
fn running(store: &str, id: &str) -> Vec<String> {
    let task = task(store, id);
    let steps = task["steps"].as_array().unwrap().iter();
    let running = steps.filter(|step| step["state"] == "in_progress");
    running.map(|step| step["name"].as_str().unwrap().to_owned()).collect()
}

fn a_signal_lets_handlers_end(store: &str, signal: &str) {
    let mut worker = registering("1500", store);
    let id = created(store, REGISTRATION, USER);
    until(|| Some(running(store, &id)).filter(|running| !running.is_empty()));
    worker.signal(signal);
    assert_eq!(worker.wait().code(), Some(0));
    let left = task(store, &id);
    assert_eq!((&left["state"], running(store, &id)), (&json!("in_progress"), vec![]));
    let attempts = |task: &Value| made_by(task).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    // What ran when the signal came has ended, and what follows from it was not begun.
    assert_eq!(attempts(&left), [worker.id.as_str()]);
    assert_eq!(workers(store), [json!(null); 0]);
    let other = registering("5", store);
    assert_eq!(other.settled()["task"], json!(id));
    let done = task(store, &id);
    let mut made = attempts(&done);
    made.sort();
    let mut expected = vec![worker.id.clone()];
    expected.extend(vec![other.id.clone(); 4]);
    expected.sort();
    assert_eq!((&done["state"], made), (&json!("complete"), expected));
}

#[test]
fn sigterm_lets_a_handler_end_on_postgres() {
    a_signal_lets_handlers_end(&Schema::new().url(), "TERM");
}

#[test]
fn sighup_lets_a_handler_end_on_a_file() {
    let directory = TempDir::new().unwrap();
    a_signal_lets_handlers_end(&sqlite(&directory), "HUP");
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_its_work_is_run_elsewhere() {
    let schema = Schema::new();
    let store = schema.url_with("lease=1");
    let mut worker = registering("25000", &store);
    let id = created(&store, REGISTRATION, USER);
    until(|| Some(running(&store, &id)).filter(|running| !running.is_empty()));
    worker.signal("INT");
    worker.signal("TERM");
    // Two signals that come together are two.
    assert_eq!(worker.wait().code(), Some(130));
    assert_eq!(running(&store, &id), ["create_user_account"]);
    // It is listed as what it is, with what it left.
    let dead = until(|| workers(&store).into_iter().find(|one| one["alive"] == false));
    assert_eq!(dead["id"], json!(worker.id));
    let other = registering("5", &store);
    assert_eq!(other.settled()["event"], "step_finished", "the crash");
    assert_eq!(complete(&store, &id)["state"], "complete");
}

#[test]
fn the_example_is_run_by_a_worker_and_by_itself_on_one_database() {
    let schema = Schema::new();
    let store = schema.url();
    let worker = registering("20", &store);
    let run = ["--latency", "20", "--json", "--store", &store];
    let output = output_of(example().args(run));
    assert_eq!((output.status.code(), &json(&output)["state"]), (Some(0), &json!("complete")));
    let id = created(&store, REGISTRATION, USER);
    let done = complete(&store, &id);
    assert_eq!(made_by(&done), [worker.id.as_str(); 5]);
}

#[test]
fn a_worker_needs_handlers_and_templates_that_fit() {
    let output = tasker(["worker", "templates", "--store", "memory:"]);
    assert_eq!(output.status.code(), Some(3));
    let errors = text(&output.stderr);
    assert!(errors.contains("`tasker::cli::main(tasker::Tasker::builder()).await`"), "{errors}");
    for (arguments, code, says) in [
        (&["worker", "no/such.yaml"][..], 3, "no/such.yaml"),
        (&["worker", "templates"], 3, "no handler is registered for callable"),
        (
            &["worker", "templates", "--namespaces", "docs,micro"],
            3,
            "no template here is in the namespace `micro`",
        ),
        (&["worker", "templates", "--concurrency", "0"], 2, "--concurrency"),
        (&["worker", "list", "--store", "sqlite://no-such.db"], 2, "there is no store `sqlite://no-such.db`"),
    ] {
        let output = output_of(greeting().args(arguments));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_worker_has_the_store_and_the_templates_of_its_application() {
    let directory = TempDir::new().unwrap();
    let templates = root().join("examples/shop/templates");
    // The same directory and file once more are what the application has anyway.
    let (same, file) = (templates.to_str().unwrap(), templates.join("order.yaml"));
    for arguments in [&["worker"][..], &["worker", same], &["worker", file.to_str().unwrap()]] {
        let mut command = shop();
        command.current_dir(directory.path());
        let mut worker = Worker::start(command, arguments);
        let Value::String(store) = &worker.begun["store"] else { panic!("{}", worker.begun) };
        assert!(store.ends_with("/shop.db"), "{store}");
        let program = json!({ "name": "shop", "version": env!("CARGO_PKG_VERSION") });
        assert_eq!((&worker.begun["templates"], &worker.begun["program"]), (&json!(1), &program));
        let mut list = shop();
        list.args(["worker", "list", "--json"]).current_dir(directory.path());
        let listed = json(&output_of(&mut list));
        let title = json!(concat!("shop ", env!("CARGO_PKG_VERSION")));
        assert_eq!(listed["workers"][0]["program"], title, "{listed}");
        worker.signal("TERM");
        assert_eq!(worker.wait().code(), Some(0));
    }
}
