//! Several processes on one PostgreSQL schema: each with tasks of its own in a closed loop, or all on the
//! queue that somebody else has filled.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker::prelude::*;

use crate::diamond;
use crate::measure::{fdatasync_ms, round};
use crate::schema::Schema;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Worker processes
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Tasks in all
    #[arg(long, default_value_t = 20_000)]
    tasks: usize,
    /// Tasks in flight in each process, or its share of slots
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// The workers create nothing: they run what is in the queue
    #[arg(long)]
    queue: bool,
    /// Be one of those workers, on this schema
    #[arg(long, hide = true)]
    serve: Option<String>,
    /// A schema that exists already, or that is kept afterwards
    #[arg(long)]
    schema: Option<String>,
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432/postgres")]
    database: String,
    /// Where the disk is measured
    #[arg(long, default_value = "target")]
    directory: std::path::PathBuf,
}

#[tokio::main]
pub async fn run(options: &Options) {
    if let Some(schema) = &options.serve {
        serve(options, schema).await;
        return;
    }
    let schema = match &options.schema {
        Some(name) => Schema::named(&options.database, name),
        None => Schema::new(&options.database),
    };
    // The schema, before anybody races for it.
    let creator = diamond::builder(&schema.url(), options.concurrency).without_worker();
    let creator = creator.build().await.unwrap();
    let sync_before = fdatasync_ms(&options.directory);
    let wall = if options.queue {
        fill(&creator, options.tasks).await;
        drain(options, &schema).await
    } else {
        own(options, &schema)
    };
    creator.shutdown().await;
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    let rate = options.tasks as f64 / wall;
    println!(
        "{}",
        json!({
            "workers": options.workers,
            "tasks": options.tasks,
            "from": if options.queue { "the queue" } else { "each process itself" },
            "tasks_per_s": round(rate),
            "fdatasync_ms": [round(sync_before), round(fdatasync_ms(&options.directory))],
        })
    );
    schema.remove().await;
}

/// Each process creates and runs its share; the time of the slowest.
fn own(options: &Options, schema: &Schema<'_>) -> f64 {
    let share = (options.tasks / options.workers).to_string();
    let concurrency = options.concurrency.to_string();
    let processes: Vec<_> = (0..options.workers)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["diamond", "--store", "postgres", "--database", &options.database])
                .args(["--schema", schema.name(), "--tasks", &share, "--concurrency", &concurrency])
                .arg("--directory")
                .arg(&options.directory)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let walls = processes.into_iter().map(|process| {
        let output = process.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["wall_s"].as_f64().unwrap()
    });
    walls.fold(0.0, f64::max)
}

pub async fn fill(creator: &Tasker, tasks: usize) {
    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let creator = creator.clone();
            tokio::spawn(async move {
                for number in (caller..tasks).step_by(64) {
                    let context = json!({
                        "email": format!("user{number:07}@example.com"), "name": "Ada", "plan": "pro",
                    });
                    creator.create_task(NewTask::new("bench", "diamond", &context)).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

/// From the first process's start until no task is unfinished.
async fn drain(options: &Options, schema: &Schema<'_>) -> f64 {
    let begun = Instant::now();
    let mut processes: Vec<_> = (0..options.workers)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["fleet", "--database", &options.database, "--serve", schema.name()])
                .args(["--concurrency", &options.concurrency.to_string()])
                .spawn()
                .unwrap()
        })
        .collect();
    while schema
        .number("SELECT count(*) FROM (SELECT FROM task WHERE state <> 'complete' LIMIT 1) AS open")
        .await
        > 0
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wall = begun.elapsed().as_secs_f64();
    for process in &mut processes {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    wall
}

/// A worker, until it is killed.
async fn serve(options: &Options, schema: &str) {
    let schema = Schema::named(&options.database, schema);
    let _tasker = diamond::builder(&schema.url(), options.concurrency).build().await.unwrap();
    std::future::pending::<()>().await;
}
