//! `tasker worker list`.

use std::process::ExitCode;

use clap::Args;
use console::style;
use serde_json::json;
use tasker_runtime::Builder;
use tasker_runtime::error::chain;
use tasker_runtime::worker::WorkerRecord;

use crate::cli::at_store::AtStore;
use crate::cli::output::{FAILED, fail, print};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: AtStore,
}

pub(super) async fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    let tasker = match options.at.open(builder, program).await {
        Ok(tasker) => tasker,
        Err(code) => return code,
    };
    let workers = tasker.workers().await;
    tasker.shutdown().await;
    let workers = match workers {
        Ok(workers) => workers,
        Err(error) => return fail(FAILED, chain(&error)),
    };
    if options.at.json {
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
