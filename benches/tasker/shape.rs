//! What a step costs as its task grows: wide fan-outs and long chains.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use serde_json::json;
use tasker::prelude::*;

use crate::measure::{fdatasync_ms, max_rss_mb, round};

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(value_enum)]
    shape: Shape,
    /// Steps in the middle
    #[arg(long)]
    steps: usize,
    /// Tasks, one after the other; the median counts
    #[arg(long, default_value_t = 5)]
    tasks: usize,
    /// Where the database is written
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// One step, then all the others side by side, then one that waits for them
    FanOut,
    /// One after the other
    Chain,
}

fn template(shape: Shape, steps: usize) -> String {
    let mut yaml = String::from("name: shape\nnamespace_name: bench\nversion: 1.0.0\nsteps:\n");
    let mut step = |name: &str, dependencies: &str| {
        yaml.push_str(&format!(
            "  - {{name: {name}, handler: {{callable: Nothing}}, dependencies: [{dependencies}]}}\n"
        ));
    };
    step("first", "");
    match shape {
        Shape::Chain => (0..steps).for_each(|number| {
            let previous =
                number.checked_sub(1).map_or_else(|| "first".to_owned(), |number| format!("s{number}"));
            step(&format!("s{number}"), &previous);
        }),
        Shape::FanOut => {
            (0..steps).for_each(|number| step(&format!("s{number}"), "first"));
            let all: Vec<String> = (0..steps).map(|number| format!("s{number}")).collect();
            step("last", &all.join(", "));
        }
    }
    yaml
}

#[tokio::main]
pub async fn run(options: &Options) {
    let directory = tempfile::tempdir_in(&options.directory).unwrap();
    let tasker = Tasker::builder()
        .template_str("shape.yaml", template(options.shape, options.steps))
        .handler_fn("Nothing", |_: StepContext| async { StepResult::Ok(()) })
        .store_url(format!("sqlite://{}", directory.path().join("shape.db").display()))
        .build()
        .await
        .unwrap();
    let before = fdatasync_ms(directory.path());
    let mut micros = Vec::new();
    for _ in 0..options.tasks {
        let begun = Instant::now();
        let id = tasker.create_task(NewTask::new("bench", "shape", &json!({}))).await.unwrap();
        let task = tasker.wait(id).await.unwrap();
        #[allow(clippy::cast_precision_loss, reason = "a few thousand steps")]
        micros.push(begun.elapsed().as_secs_f64() * 1e6 / task.steps.len() as f64);
    }
    micros.sort_by(f64::total_cmp);
    println!(
        "{}",
        json!({
            "shape": format!("{:?}", options.shape),
            "steps": options.steps,
            "us_per_step": round(micros[micros.len() / 2]),
            "max_rss_mb": round(max_rss_mb()),
            "fdatasync_ms": [round(before), round(fdatasync_ms(directory.path()))],
        })
    );
    tasker.shutdown().await;
}
