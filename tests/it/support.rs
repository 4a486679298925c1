//! Templates in few words, and a runtime in virtual time.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tasker_runtime::testing::TestEngine;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{Builder, Error, NewTask, StepContext, StepResult, Task, TaskId, Tasker};
use tasker_store::{ClaimRequest, NewTaskRecord, Store};

/// A template called `test/flow`. Each line of `steps` is `name: dependency, dependency | more YAML`;
/// a step's callable is its name.
pub fn template(steps: &str) -> String {
    let mut yaml = String::from("name: flow\nnamespace_name: test\nversion: 1.0.0\nsteps:\n");
    for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (line, more) = line.split_once('|').unwrap_or((line, ""));
        let (name, dependencies) = line.split_once(':').unwrap_or((line, ""));
        let (name, dependencies) = (name.trim(), dependencies.trim());
        yaml.push_str(&format!(
            "  - {{name: {name}, handler: {{callable: {name}}}, dependencies: [{dependencies}]{}}}\n",
            if more.trim().is_empty() { String::new() } else { format!(", {}", more.trim()) }
        ));
    }
    yaml
}

/// The template with these steps in virtual time.
pub fn flow(steps: &str) -> TestEngine {
    TestEngine::template_str("flow.yaml", template(steps))
}

/// A runtime on a SQLite file.
pub fn on_file(path: &Path, steps: &str) -> Builder {
    on_store(&format!("sqlite://{}", path.display()), steps)
}

/// A runtime on a store, which soon takes over from dead workers.
pub fn on_store(url: &str, steps: &str) -> Builder {
    Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template(steps))
        .store_url(url)
        .poll_interval(Duration::from_millis(20))
        .reap_interval(Duration::from_millis(50))
}

/// A `test/flow` task with an empty context.
pub fn new_task() -> NewTask {
    NewTask::new("test", "flow", &json!({}))
}

/// A runtime in virtual time on a store in memory. Call it in a test with paused time.
pub fn virtual_time(steps: &str) -> Builder {
    flow(steps).builder().only_listed_handlers()
}

/// Runs a `test/flow` task to its end, good or bad.
pub async fn run(tasker: &Tasker, context: &Value) -> Task {
    let id = tasker.create_task(NewTask::new("test", "flow", context)).await.unwrap();
    ended(tasker.wait(id).await)
}

pub fn ended(result: Result<Task, Error>) -> Task {
    match result {
        Ok(task) => task,
        Err(Error::Failed(failure)) => failure.into_task(),
        Err(error) => panic!("{error}"),
    }
}

/// Builds, runs one task with an empty context, and shuts down.
pub async fn run_once(builder: Builder) -> Task {
    let tasker = builder.build().await.unwrap();
    let task = run(&tasker, &json!({})).await;
    tasker.shutdown().await;
    task
}

/// The steps in the order in which their attempts began.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    pub fn write(&self, context: &StepContext) {
        let line = format!("{}#{}", context.step_name(), context.attempt());
        self.0.lock().unwrap().push(line);
    }

    pub fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Adds a handler for each name that writes into the ledger and returns its step's name.
pub fn recording(mut builder: Builder, ledger: &Ledger, names: &[&str]) -> Builder {
    for name in names {
        let ledger = ledger.clone();
        builder = builder.handler_fn(name, move |context: StepContext| {
            ledger.write(&context);
            async move { StepResult::Ok(context.step_name().to_owned()) }
        });
    }
    builder
}

/// A task of a template that cannot be read, in this store.
pub async fn unreadable_task(store: &dyn Store) -> TaskId {
    use tasker_store::conformance::{Shape, new_task, template};
    store.put_template(template()).await.unwrap();
    let record = new_task(&Shape::new(vec![vec![]]), 0);
    let nothing = ClaimRequest {
        worker: WorkerId::random(),
        limit: 0,
        any: false,
        now: Timestamp::UNIX_EPOCH,
        excluded: Arc::default(),
        namespaces: None,
    };
    let id = record.id;
    store.create_task(NewTaskRecord { created_at: Timestamp::UNIX_EPOCH, ..record }, nothing).await.unwrap();
    id
}
