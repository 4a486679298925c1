//! `tasker task list` and `tasker task stale`.

use clap::Args;
use console::style;
use serde::Serialize;
use tasker_runtime::operate::Staleness;
use tasker_runtime::task::TaskSummary;
use tasker_runtime::{Error, TaskFilter, TaskId, TaskState, Tasker};

use crate::cli::output::{print, print_json};
use crate::cli::report::told_waits;
use crate::cli::time::from_one;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// In this state; may be given several times
    #[arg(long, value_parser = state, value_name = "STATE")]
    state: Vec<TaskState>,
    /// Of this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Of the template with this name
    #[arg(long)]
    name: Option<String>,
    /// With this tag
    #[arg(long)]
    tag: Option<String>,
    /// With this correlation id
    #[arg(long, value_name = "UUID")]
    correlation_id: Option<TaskId>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = from_one())]
    limit: usize,
    /// The next page: those older than the last task of the page before
    #[arg(long, value_name = "TASK")]
    before: Option<TaskId>,
}

#[derive(Debug, Args)]
pub(super) struct Stale {
    /// All unfinished tasks that wait for something, not the stale ones alone
    #[arg(long)]
    all: bool,
    /// Of this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Look at this many unfinished tasks
    #[arg(long, default_value_t = 1_000, value_parser = from_one())]
    limit: usize,
}

/// What is printed as JSON. Not by way of a `Value`, which would round the numbers of contexts.
#[derive(Serialize)]
struct Page<'a> {
    tasks: &'a [TaskSummary],
    next_before: Option<TaskId>,
}

const STATES: [TaskState; 5] = [
    TaskState::InProgress,
    TaskState::Complete,
    TaskState::BlockedByFailures,
    TaskState::Cancelled,
    TaskState::Error,
];

fn state(text: &str) -> Result<TaskState, String> {
    let known = || STATES.map(TaskState::as_str).join(", ");
    text.parse().map_err(|_| format!("a task is one of: {}", known()))
}

pub(super) async fn list(tasker: &Tasker, options: &Options, json: bool) -> Result<(), Error> {
    let mut filter = TaskFilter::new().states(options.state.iter().copied()).limit(options.limit);
    filter.namespace = options.namespace.clone();
    filter.name = options.name.clone();
    filter.tag = options.tag.clone();
    filter.correlation_id = options.correlation_id.map(|id| id.0);
    filter.before = options.before;
    let tasks = tasker.list(filter).await?;
    let next = tasks.last().filter(|_| tasks.len() == options.limit).map(|task| task.id);
    if json {
        print_json(&Page { tasks: &tasks, next_before: next });
        return Ok(());
    }
    if tasks.is_empty() {
        print("no task meets these conditions");
    }
    for task in &tasks {
        let state = format!("{:<19}", task.state.as_str());
        let state = match task.state {
            TaskState::Complete => style(state).green(),
            TaskState::InProgress => style(state).cyan(),
            _ => style(state).red(),
        };
        let created = task.created_at.strftime("%Y-%m-%d %H:%M:%SZ");
        let tags = if task.tags.is_empty() { String::new() } else { format!("  [{}]", task.tags.join(", ")) };
        let waits = told_waits(&task.waiting_on, 2).join("; ");
        let waits = if waits.is_empty() { waits } else { format!("  {waits}") };
        print(&format!(
            "{}  {state}  {created}  {}/{} {}{tags}{}",
            task.id,
            task.namespace,
            task.name,
            task.version,
            style(waits).dim()
        ));
    }
    if let Some(next) = next {
        print(&style(format!("more: --before {next}")).dim().to_string());
    }
    Ok(())
}

pub(super) async fn stale(tasker: &Tasker, options: &Stale, json: bool) -> Result<(), Error> {
    let mut filter = TaskFilter::new().limit(options.limit);
    filter.namespace = options.namespace.clone();
    let mut ages = tasker.task_ages(filter).await?;
    ages.retain(|age| options.all || age.staleness != Staleness::Healthy);
    if json {
        print_json(&ages);
        return Ok(());
    }
    if ages.is_empty() {
        print("no unfinished task has been where it is for too long");
    }
    for age in &ages {
        let text = format!("{} of {} minutes", age.minutes, age.limit_minutes);
        let text = if age.is_stale() { style(text).red() } else { style(text).yellow() };
        print(&format!("{}  {}  {text}", age.task, age.waiting_for.as_str()));
    }
    Ok(())
}
