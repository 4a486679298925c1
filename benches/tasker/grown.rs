//! Whether recording costs more when the file holds many finished tasks.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::measure::round;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Finished tasks that the file holds before the measurement
    #[arg(long)]
    finished: usize,
    /// Tasks to measure
    #[arg(long, default_value_t = 20_000)]
    tasks: usize,
    /// Where the database is written
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

/// Fills a file through the engine itself, and measures on it in a new process.
pub fn run(options: &Options) {
    let directory = tempfile::tempdir_in(&options.directory).unwrap();
    let file = directory.path().join("grown.db");
    let run = |tasks: usize| -> Value {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["diamond", "--store", "sqlite", "--warmup", "64", "--concurrency", "64", "--tasks"]);
        command.arg(tasks.to_string()).arg("--file").arg(&file).arg("--directory").arg(directory.path());
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    if options.finished > 0 {
        run(options.finished);
    }
    let measured = run(options.tasks);
    let size = std::fs::metadata(&file).unwrap().len();
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let megabytes = round(size as f64 / 1e6);
    println!(
        "{}",
        json!({
            "finished": options.finished,
            "tasks_per_s": measured["tasks_per_s"],
            "file_mb": megabytes,
            "fdatasync_ms": measured["fdatasync_ms"],
        })
    );
}
