//! `tasker worker list`.

use std::process::ExitCode;

use clap::Args;
use console::style;
use serde_json::json;
use tasker_runtime::{Builder, WorkerRecord};

use crate::cli::{FAILED, USAGE, cannot_start, check_store, fail, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where the tasks are kept: sqlite://PATH or postgres://USER@HOST/DATABASE
    #[arg(long, default_value = "sqlite://tasker.db", value_name = "URL")]
    store: String,
    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(builder: Builder, options: &Options) -> ExitCode {
    if let Err(message) = check_store(&options.store).await {
        return fail(USAGE, message);
    }
    let tasker = match builder.without_worker().store_url(&options.store).build().await {
        Ok(tasker) => tasker,
        Err(error) => return cannot_start(&error),
    };
    let workers = tasker.workers().await;
    tasker.shutdown().await;
    let workers = match workers {
        Ok(workers) => workers,
        Err(error) => return fail(FAILED, error),
    };
    if options.json {
        print(&json!({ "workers": workers }).to_string());
        return ExitCode::SUCCESS;
    }
    if workers.is_empty() {
        print("no worker is known");
    }
    workers.iter().for_each(|worker| print(&line(worker)));
    ExitCode::SUCCESS
}

fn line(worker: &WorkerRecord) -> String {
    let WorkerRecord { id, info, running, started_at, last_beat, alive, .. } = worker;
    let alive = if *alive { style("alive").green() } else { style("dead ").red() };
    let namespaces = match &info.namespaces {
        Some(namespaces) => namespaces.join(","),
        None => "all namespaces".to_owned(),
    };
    let seconds = "%Y-%m-%d %H:%M:%SZ";
    let beat =
        last_beat.map(|beat| format!(", last heard of {}", beat.strftime(seconds))).unwrap_or_default();
    format!(
        "{id}  {alive}  {running} of {} running  {}:{}  {namespaces}, {} handlers, version {}, \
         since {}{beat}",
        info.concurrency,
        info.host,
        info.process,
        info.handlers,
        info.version,
        started_at.strftime(seconds),
    )
}
