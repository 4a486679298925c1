//! Tasks that wait: what each takes of a worker's memory, and how long a worker takes to start on them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::prelude::*;

use crate::measure::round;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Unfinished tasks in the file
    #[arg(long, default_value_t = 100_000)]
    tasks: usize,
    /// Where the database is written
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

const TEMPLATE: &str = "
name: waiting
namespace_name: bench
version: 1.0.0
steps:
  - {name: first, handler: {callable: Endless}, timeout_seconds: 3600}
  - {name: second, handler: {callable: Endless}, dependencies: [first]}
";

/// Memory in use now, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() * 1_024.0
}

fn builder(url: &str) -> tasker::Builder {
    Tasker::builder()
        .template_str("waiting.yaml", TEMPLATE)
        .handler_fn("Endless", |context: StepContext| async move {
            context.cancelled().await;
            StepResult::<()>::Err(StepError::retryable("the worker leaves"))
        })
        .store_url(url)
        .grace_period(Duration::from_secs(5))
}

#[tokio::main]
pub async fn run(options: &Options) {
    let directory = tempfile::tempdir_in(&options.directory).unwrap();
    let url = format!("sqlite://{}", directory.path().join("waiting.db").display());
    let creator = builder(&url).without_worker().build().await.unwrap();
    let before = resident();
    let callers = (0..64).map(|caller| {
        let creator = creator.clone();
        let own = options.tasks / 64 + usize::from(caller < options.tasks % 64);
        tokio::spawn(async move {
            for _ in 0..own {
                creator.create_task(NewTask::new("bench", "waiting", &json!({}))).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    let count = options.tasks as f64;
    let queued = (resident() - before) / count;
    creator.shutdown().await;

    // A worker that finds them all.
    let begun = Instant::now();
    let worker = builder(&url).concurrency(1_024).build().await.unwrap();
    let mut events = worker.subscribe();
    let started = begun.elapsed();
    let first = loop {
        // The first may have begun before anybody listened.
        match tokio::time::timeout(Duration::from_millis(200), events.next()).await {
            Ok(Some(tasker::events::Event::StepStarted { .. })) | Err(_) => break begun.elapsed(),
            _ => {}
        }
    };
    let idle = resident();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let in_flight = (resident() - idle).max(0.0) / 1_024.0;
    println!(
        "{}",
        json!({
            "unfinished": options.tasks,
            "bytes_per_queued_task": round(queued),
            "start_ms": round(started.as_secs_f64() * 1e3),
            "first_step_ms": round(first.as_secs_f64() * 1e3),
            "bytes_per_task_in_flight": round(in_flight),
            "resident_mb": round(resident() / 1e6),
        })
    );
    worker.shutdown().await;
}
