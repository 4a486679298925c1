//! `tasker doctor`: checks whether a store keeps its own rules.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tasker_runtime::Builder;
use tasker_runtime::doctor::{DoctorOptions, DoctorReport, LookedAt};
use tasker_runtime::error::chain;
use tasker_runtime::store::plan_migration;

use crate::cli::at_store::AtStore;
use crate::cli::output::{FAILED, fail, print};
use crate::cli::program::Program;
use crate::cli::report::harmless;

/// Exits with 0 when no fault remains, and with 1 when one does.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: AtStore,
    /// Repair what can be repaired
    ///
    /// Claims of dead workers are ended as crashed, which their tasks record as attempts. Runs and states follow
    /// from the attempts that are recorded: a step that has none runs, and one that has, but no row, counts as
    /// failed; the task records the action. Rows that belong to nothing are deleted. A fault that was repaired is
    /// told with what was done.
    #[arg(long)]
    repair: bool,
    /// Look at complete tasks too, which are many in a store that keeps them
    #[arg(long)]
    complete: bool,
}

pub(super) async fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    let builder = options.at.prepare(builder);
    // Opening a store brings its schema up to date, and looking at it must change nothing.
    if let Some(url) = builder.store_location()
        && let Ok(plan) = plan_migration(url).await
        && plan.from > 0
        && !plan.is_done()
    {
        return told(&DoctorReport::outdated(&plan), options.at.json);
    }
    let tasker = match options.at.open(builder, program).await {
        Ok(tasker) => tasker,
        Err(code) => return code,
    };
    let mut wanted = DoctorOptions::new();
    if options.repair {
        wanted = wanted.repair();
    }
    if options.complete {
        wanted = wanted.complete_tasks();
    }
    let report = tasker.doctor(&wanted).await;
    tasker.shutdown().await;
    match report {
        Ok(report) => told(&report, options.at.json),
        Err(error) => fail(FAILED, chain(&error)),
    }
}

fn told(report: &DoctorReport, as_json: bool) -> ExitCode {
    let is_content = report.is_content();
    if as_json {
        let mut answer = json!(report);
        answer["content"] = json!(is_content);
        print(&answer.to_string());
    } else {
        let LookedAt { tasks, runs, attempts, claims, templates, workers, limits, .. } = report.looked_at;
        print(&format!(
            "{}: looked at {tasks} tasks, {runs} open runs, {attempts} attempts, {claims} claims, \
             {templates} templates, {workers} workers, {limits} limits",
            report.store
        ));
        report.findings.iter().for_each(|finding| print(&harmless(&finding.to_string())));
        if report.more > 0 {
            print(&format!("and {} findings more", report.more));
        }
        if report.findings.is_empty() {
            print("nothing is wrong");
        }
    }
    if is_content { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
