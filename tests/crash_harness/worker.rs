//! The processes: one that creates tasks and works until nothing is left, or until it is killed, and one that
//! runs a single diamond, step by step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tasker_runtime::{Error, TaskFilter, TaskState};
use tasker_store::failpoint;

use crate::processes::ledger::Writer;
use crate::processes::work;

#[tokio::main(worker_threads = 2)]
pub async fn run(store_url: &str, ledger: &Path, tasks: usize) {
    let ledger = Arc::new(Writer::open(ledger));
    let tasker = work::builder(store_url, &ledger).build().await.unwrap();
    println!("up");
    for _ in 0..tasks {
        // One poisoned task in a while: each costs its three processes.
        let name = match fastrand::u8(..20) {
            0..6 => "diamond",
            6..10 => "chain",
            10..14 => "retrying",
            14..19 => "wide",
            _ => "poisoned",
        };
        let id = tasker.create_task(work::new_task(name)).await.unwrap();
        ledger.line(&["created", &id.to_string()]);
    }
    let filter = TaskFilter::new().states([TaskState::InProgress]).limit(usize::MAX);
    for task in tasker.list(filter).await.unwrap() {
        match tasker.wait(task.id).await {
            // A poisoned task ends blocked.
            Ok(_) | Err(Error::Failed(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    tasker.shutdown().await;
}

/// Creates one diamond and runs it, with one commit for its creation and one for each step: a step at a time,
/// and nothing else that writes. It is killed at `failpoint`, counted from the creation on.
#[tokio::main(worker_threads = 2)]
pub async fn run_diamond(store_url: &str, ledger: &Path, failpoint: &str) {
    const NEVER: Duration = Duration::from_secs(3_600);
    let ledger = Arc::new(Writer::open(ledger));
    let builder = work::builder(store_url, &ledger).concurrency(1).poll_interval(NEVER).reap_interval(NEVER);
    let tasker = builder.build().await.unwrap();
    let (name, count) = failpoint.split_once(':').unwrap();
    failpoint::arm(name, count.parse().unwrap());
    let id = tasker.create_task(work::new_task("diamond")).await.unwrap();
    ledger.line(&["created", &id.to_string()]);
    tasker.wait(id).await.unwrap();
}
