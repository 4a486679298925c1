//! The tasks that these processes create, and the handler that writes down what it does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_runtime::{Builder, NewTask, StepContext, StepError, StepResult, Tasker};

use crate::processes::ledger::Writer;

/// Steps, each with those that it waits for.
pub const DIAMOND: [(&str, &str); 5] = [("a", ""), ("b", "a"), ("c", "a"), ("d", "b, c"), ("e", "d")];
/// A graph and how it is retried; the step called `poison` ends its process.
const GRAPHS: [(&str, &[(&str, &str)]); 4] = [
    ("diamond", &DIAMOND),
    ("chain", &[("a", ""), ("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e")]),
    ("retrying", &[("flaky1", ""), ("flaky2", "flaky1"), ("flaky3", "flaky1"), ("e", "flaky2, flaky3")]),
    ("poisoned", &[("a", ""), ("poison", "a"), ("b", "a"), ("never", "poison, b")]),
];
/// A fan-out, and how wide.
const FAN_OUTS: [(&str, usize); 2] = [("fan", 12), ("wide", 40)];

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
    let graph = |(name, steps): &(&'static str, &[(&str, &str)])| {
        let steps: Vec<_> = steps.iter().map(|(step, on)| ((*step).to_owned(), (*on).to_owned())).collect();
        (*name, template(name, &steps))
    };
    let fan_out = |(name, width): &(&'static str, usize)| {
        let leaves: Vec<String> = (0..*width).map(|number| format!("w{number}")).collect();
        let middle = leaves.iter().map(|leaf| (leaf.clone(), "a".to_owned()));
        let ends = [("a".to_owned(), String::new()), ("join".to_owned(), leaves.join(", "))];
        (*name, template(name, &ends.into_iter().chain(middle).collect::<Vec<_>>()))
    };
    GRAPHS.iter().map(graph).chain(FAN_OUTS.iter().map(fan_out)).collect()
}

pub fn new_task(name: &str) -> NewTask {
    NewTask::new("crash", name, &json!({}))
}

/// A worker for all of them.
pub fn builder(store_url: &str, ledger: &Arc<Writer>) -> Builder {
    let mut builder = Tasker::builder()
        .only_listed_handlers()
        .store_url(store_url)
        .concurrency(16)
        .poll_interval(Duration::from_millis(20))
        .reap_interval(Duration::from_millis(200));
    for (name, yaml) in templates() {
        builder = builder.template_str(name, yaml);
    }
    let own = Arc::clone(ledger);
    builder.handler_fn("work", move |context| work(Arc::clone(&own), context))
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
