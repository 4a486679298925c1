//! How long the steps of a killed worker wait until another one runs them.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::TaskState;
use tasker::events::Event;
use tasker::prelude::*;

use crate::measure::round;
use crate::schema::Schema;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The lease, in seconds
    #[arg(long, default_value_t = 15)]
    lease: u64,
    /// Steps that the worker has under way when it is killed
    #[arg(long, default_value_t = 100)]
    tasks: usize,
    /// Be the worker that is killed, on this schema
    #[arg(long, hide = true)]
    serve: Option<String>,
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432/postgres")]
    database: String,
    #[arg(long, default_value = "target", hide = true)]
    directory: PathBuf,
}

const TEMPLATE: &str = "
name: endless
namespace_name: bench
version: 1.0.0
steps:
  - {name: only, handler: {callable: OnlyOnce}, timeout_seconds: 3600}
";

/// A first attempt never ends.
fn builder(url: &str, slots: usize) -> tasker::Builder {
    Tasker::builder()
        .template_str("endless.yaml", TEMPLATE)
        .store_url(url)
        .concurrency(slots)
        .grace_period(Duration::from_secs(1))
        .handler_fn("OnlyOnce", |context: StepContext| async move {
            if context.attempt() == 1 {
                std::future::pending::<()>().await;
            }
            StepResult::Ok(())
        })
}

#[tokio::main]
pub async fn run(options: &Options) {
    let joint = if options.database.contains('?') { '&' } else { '?' };
    let database = format!("{}{joint}lease={}", options.database, options.lease);
    if let Some(name) = &options.serve {
        let _tasker = builder(&Schema::named(&database, name).url(), options.tasks).build().await.unwrap();
        std::future::pending::<()>().await;
    }
    let schema = Schema::new(&database);
    let creator = builder(&schema.url(), options.tasks).without_worker().build().await.unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["recovery", "--database", &options.database, "--serve", schema.name()])
        .args(["--lease", &options.lease.to_string(), "--tasks", &options.tasks.to_string()])
        .spawn()
        .unwrap();
    for _ in 0..options.tasks {
        creator.create_task(NewTask::new("bench", "endless", &json!({}))).await.unwrap();
    }
    let claimed = "SELECT count(*) FROM step WHERE worker_id IS NOT NULL";
    while usize::try_from(schema.number(claimed).await).unwrap() < options.tasks {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let other = builder(&schema.url(), options.tasks).build().await.unwrap();
    let mut events = other.subscribe();
    victim.kill().unwrap();
    let killed = Instant::now();
    victim.wait().unwrap();
    let mut times = Vec::new();
    while times.len() < options.tasks {
        if matches!(events.next().await.unwrap(), Event::TaskSettled { state: TaskState::Complete, .. }) {
            times.push(killed.elapsed().as_secs_f64());
        }
    }
    println!(
        "{}",
        json!({
            "lease_s": options.lease,
            "steps": options.tasks,
            "first_s": round(times[0]),
            "last_s": round(times[times.len() - 1]),
        })
    );
    other.shutdown().await;
    creator.shutdown().await;
    schema.remove().await;
}
