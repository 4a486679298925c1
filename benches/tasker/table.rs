//! Every case, each in a process of its own, and beside it what others need for the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Programs to measure beside: a directory with `peer-lower-sqlite`, `peer-dagrs` and others
    #[arg(long, value_name = "DIRECTORY")]
    peers: Option<PathBuf>,
    /// Where databases are written
    #[arg(long, default_value = "target")]
    data: PathBuf,
    /// How often each pair is measured; medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Leave out what takes minutes
    #[arg(long)]
    short: bool,
}

pub fn print(options: &Options) {
    println!("| case | figure | here | beside | ratio | fdatasync ms, here | beside |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (case, store, concurrency, tasks, figure, peer) in [
        (
            "SQLite, 64 in flight",
            "sqlite",
            "64",
            "20000",
            "tasks_per_s",
            &["lower-sqlite", "--mode", "group"][..],
        ),
        ("SQLite, one at a time", "sqlite", "1", "1000", "p50_ms", &["lower-sqlite"][..]),
        (
            "PostgreSQL, 64 in flight",
            "postgres",
            "64",
            "20000",
            "tasks_per_s",
            &["lower-postgres", "--mode", "group"][..],
        ),
        ("PostgreSQL, one at a time", "postgres", "1", "1000", "p50_ms", &["lower-postgres"][..]),
        ("PostgreSQL, beside DBOS", "postgres", "64", "2000", "tasks_per_s", &["dbos"][..]),
        ("memory, 64 in flight", "memory", "64", "50000", "tasks_per_s", &["dagrs"][..]),
        ("memory, one at a time", "memory", "1", "20000", "p50_ms", &["dagrs"][..]),
    ] {
        let (mut own, mut other) = (Vec::new(), Vec::new());
        let (mut syncs, mut other_syncs) = (Value::Null, Value::Null);
        for _ in 0..options.rounds {
            let answer = here(
                options,
                &["diamond", "--store", store, "--concurrency", concurrency, "--tasks", tasks, "--directory"],
            );
            own.extend(answer[figure].as_f64());
            syncs = answer["fdatasync_ms"].clone();
            if let Some(answer) = beside(options, peer, concurrency, tasks) {
                other.extend(answer[figure].as_f64());
                other_syncs = answer["fdatasync_ms"].clone();
            }
        }
        let (own, other) = (median(&mut own), median(&mut other));
        let shown = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
        let ratio = own.zip(other).map(|(own, other)| own / other);
        println!(
            "| {case} | {figure} | {} | {} | {} | {syncs} | {other_syncs} |",
            shown(own),
            shown(other),
            shown(ratio)
        );
    }
    println!();
    for finished in ["0", "1000", "100000", "1000000"]
        .into_iter()
        .filter(|finished| !(options.short && *finished == "1000000"))
    {
        println!("{}", here(options, &["grown", "--finished", finished, "--directory"]));
    }
    for (shape, steps) in
        [("fan-out", "10"), ("fan-out", "100"), ("fan-out", "1000"), ("fan-out", "10000"), ("chain", "1000")]
    {
        println!("{}", here(options, &["shape", shape, "--steps", steps, "--directory"]));
    }
    for workers in ["1", "2", "4"] {
        println!("{}", here(options, &["fleet", "--workers", workers, "--directory"]));
        println!("{}", here(options, &["fleet", "--workers", workers, "--queue", "--directory"]));
    }
    if !options.short {
        println!("{}", here(options, &["history", "--directory"]));
    }
    println!("{}", here(options, &["recovery", "--directory"]));
    println!("{}", here(options, &["waiting", "--directory"]));
    println!("{}", here(options, &["steady", "--directory"]));
    for padding in ["0", "4096"] {
        println!(
            "{}",
            here(options, &["diamond", "--tasks", "20000", "--writer", "--padding", padding, "--directory"])
        );
    }
}

/// The answer of this program to a case; the last argument's value is the directory for data.
fn here(options: &Options, arguments: &[&str]) -> Value {
    let output =
        Command::new(std::env::current_exe().unwrap()).args(arguments).arg(&options.data).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn beside(options: &Options, peer: &[&str], concurrency: &str, tasks: &str) -> Option<Value> {
    let program: PathBuf = Path::new(options.peers.as_ref()?).join(format!("peer-{}", peer[0]));
    let output = Command::new(program)
        .args(["--concurrency", concurrency, "--tasks", tasks, "--warmup", "64"])
        .args(&peer[1..])
        .env("PEERS_DATA", &options.data)
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
