//! A process that creates tasks and works until nothing is left, or until it is killed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_runtime::{Error, NewTask, StepContext, StepError, StepResult, TaskFilter, TaskState, Tasker};

use crate::ledger::Writer;

/// A graph and how it is retried; the step called `poison` ends its process.
const GRAPHS: [(&str, &[(&str, &str)]); 5] = [
    ("diamond", &[("a", ""), ("b", "a"), ("c", "a"), ("d", "b, c"), ("e", "d")]),
    ("chain", &[("a", ""), ("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e")]),
    ("retrying", &[("flaky1", ""), ("flaky2", "flaky1"), ("flaky3", "flaky1"), ("e", "flaky2, flaky3")]),
    ("poisoned", &[("a", ""), ("poison", "a"), ("b", "a"), ("never", "poison, b")]),
    ("wide", &[]),
];

fn template(name: &str, steps: &[(String, String)]) -> String {
    let mut yaml = format!("name: {name}\nnamespace_name: crash\nversion: 1.0.0\nsteps:\n");
    for (step, dependencies) in steps {
        let attempts = if step == "poison" { 3 } else { 60 };
        yaml.push_str(&format!(
            "  - {{name: {step}, handler: {{callable: work}}, dependencies: [{dependencies}], \
             retry: {{max_attempts: {attempts}, backoff: none}}}}\n"
        ));
    }
    yaml
}

fn templates() -> Vec<(&'static str, String)> {
    let graph = |name: &'static str, steps: &[(&str, &str)]| {
        let steps: Vec<(String, String)> = match name {
            "wide" => {
                let leaves: Vec<String> = (0..40).map(|number| format!("w{number}")).collect();
                let middle = leaves.iter().map(|leaf| (leaf.clone(), "a".to_owned()));
                let ends = [("a".to_owned(), String::new()), ("join".to_owned(), leaves.join(", "))];
                ends.into_iter().chain(middle).collect()
            }
            _ => steps.iter().map(|(step, on)| ((*step).to_owned(), (*on).to_owned())).collect(),
        };
        (name, template(name, &steps))
    };
    GRAPHS.iter().map(|(name, steps)| graph(name, steps)).collect()
}

async fn work(ledger: Arc<Writer>, context: StepContext) -> StepResult<String> {
    let (task, step, attempt) =
        (context.task_id().to_string(), context.step_name(), context.attempt().to_string());
    ledger.line(&["begin", &task, step, &attempt]);
    if step == "poison" {
        std::process::abort();
    }
    tokio::time::sleep(Duration::from_micros(fastrand::u64(0..3_000))).await;
    if step.starts_with("flaky") && context.attempt() < 3 {
        return Err(StepError::retryable("not yet"));
    }
    // Another value each time: one that changes after it was recorded shows.
    let value = format!("{:x}", fastrand::u64(..));
    ledger.line(&["end", &task, step, &attempt, &value]);
    Ok(value)
}

#[tokio::main(worker_threads = 2)]
pub async fn run(database: &Path, ledger: &Path, tasks: usize) {
    let ledger = Arc::new(Writer::open(ledger));
    let mut builder = Tasker::builder()
        .only_listed_handlers()
        .store_url(format!("sqlite://{}", database.display()))
        .concurrency(16)
        .poll_interval(Duration::from_millis(20));
    for (name, yaml) in templates() {
        builder = builder.template_str(name, yaml);
    }
    let own = Arc::clone(&ledger);
    let builder = builder.handler_fn("work", move |context| work(Arc::clone(&own), context));
    let tasker = builder.build().await.unwrap();
    for _ in 0..tasks {
        let name = GRAPHS[fastrand::usize(..GRAPHS.len())].0;
        // One poisoned task in a while: each costs its three processes.
        let name = if name == "poisoned" && fastrand::u8(..4) > 0 { "diamond" } else { name };
        let id = tasker.create_task(NewTask::new("crash", name, &json!({}))).await.unwrap();
        ledger.line(&["created", &id.to_string()]);
    }
    let filter =
        TaskFilter { states: vec![TaskState::InProgress], limit: usize::MAX, ..TaskFilter::default() };
    for task in tasker.list(filter).await.unwrap() {
        match tasker.wait(task.id).await {
            // A poisoned task ends blocked.
            Ok(_) | Err(Error::Failed(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    tasker.shutdown().await;
}
