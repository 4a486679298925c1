//! A worker ends in time whatever its handlers do, also when they block every thread that they can get hold of.
//! This program runs itself as such a worker.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;

#[allow(dead_code, reason = "others use the rest")]
#[path = "processes/patience.rs"]
mod patience;

const TEMPLATE: &str = "
name: stubborn
namespace_name: test
version: 1.0.0
steps:
  - name: block
    handler: {callable: Stubborn::Block}
    timeout_seconds: 7200
";

/// Says that it has begun, and blocks its thread for an hour.
fn block() {
    println!("blocked");
    std::thread::sleep(Duration::from_secs(3_600));
}

/// The handlers: `function` is not async, `future` should be none that blocks.
fn builder(handler: &str, store: &str) -> tasker::Builder {
    let builder = Tasker::builder().only_listed_handlers().template_str("stubborn.yaml", TEMPLATE);
    let builder = builder.store_url(store).grace_period(Duration::from_millis(200));
    match handler {
        "function" => builder.handler::<function>(),
        "future" => builder.handler::<future>(),
        other => panic!("there is no handler `{other}`"),
    }
}

#[step_handler("Stubborn::Block")]
fn function() -> u32 {
    block();
    1
}

#[step_handler("Stubborn::Block")]
async fn future() {
    block();
}

/// The worker, with this many threads; 0 for a runtime that has only the calling one.
fn worker(threads: usize, builder: tasker::Builder) -> ExitCode {
    let mut runtime = if threads == 0 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.worker_threads(threads.max(1)).enable_all().build().unwrap();
    runtime.block_on(tasker::cli::main(builder))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, command, ..] = &words[..]
        && command == "worker"
    {
        let set = |name| std::env::var(name).unwrap();
        return worker(set("THREADS").parse().unwrap(), builder(&set("HANDLER"), &set("STORE")));
    }
    for handler in ["function", "future"] {
        for threads in [0, 1, 2] {
            ends_in_time(handler, threads);
            println!("a worker with {threads} threads ends although its {handler} blocks");
        }
    }
    ExitCode::SUCCESS
}

fn start(handler: &str, threads: usize, store: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["worker"]).env("HANDLER", handler).env("THREADS", threads.to_string()).env("STORE", store);
    command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ends_in_time(handler: &str, threads: usize) {
    let directory = tempfile::TempDir::new().unwrap();
    let store = format!("sqlite://{}", directory.path().join("t.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        let client = builder(handler, &store).without_worker().build().await.unwrap();
        let id = client.create_task(NewTask::new("test", "stubborn", &json!({}))).await.unwrap();
        client.shutdown().await;
        id
    });

    let mut child = start(handler, threads, &store);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap() == "blocked"), "the handler begins");
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    let what = format!("a worker with {threads} threads whose {handler} blocks");
    let status = patience::end_of(&mut child, &what, patience::PATIENCE);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(0), "{what}: {said}");

    // It says what becomes of the attempt, and that becomes of it.
    runtime.block_on(async {
        let client = builder(handler, &store).without_worker().build().await.unwrap();
        let task = client.get_task(id).await.unwrap();
        let step: Value = serde_json::to_value(&task.steps[0]).unwrap();
        let (state, claimed) = match handler {
            "function" => ("ready", false),
            _ => ("in_progress", true),
        };
        assert_eq!((&step["state"], !step["claimed_at"].is_null()), (&json!(state), claimed), "{said}");
        let expected = match handler {
            "function" => "their steps were handed back",
            _ if threads == 2 => "its attempt is left to other workers, who end it as crashed",
            _ => "its step is run again as after a crash",
        };
        assert!(said.contains(expected), "{what}: {said}");
        client.shutdown().await;
    });
}
