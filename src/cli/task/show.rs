//! `tasker task show` and `tasker task timeline`.

use clap::Args;
use console::style;
use jiff::Timestamp;
use serde_json::{Value, json};
use tasker_runtime::{Error, Task, TaskId, Tasker};

use crate::cli::output::{print, print_json};
use crate::cli::program::Program;
use crate::cli::report::{acted, first_line, millis, report_by};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The task's id
    pub(super) task: TaskId,
}

pub(super) async fn show(tasker: &Tasker, id: TaskId, program: &Program, json: bool) -> Result<(), Error> {
    let task = tasker.get_task(id).await?;
    if json {
        print_json(&task);
    } else {
        print(&report_by(&task, program));
    }
    Ok(())
}

pub(super) async fn timeline(tasker: &Tasker, id: TaskId, json: bool) -> Result<(), Error> {
    let task = tasker.get_task(id).await?;
    let events = events(&task);
    if json {
        let events: Vec<Value> = events.iter().map(|(at, text)| json!({ "at": at, "what": text })).collect();
        print_json(&events);
        return Ok(());
    }
    for (at, text) in events {
        let since = style(format!("{:>10}", millis(task.created_at, at))).dim();
        print(&format!("{since}  {}", first_line(&text)));
    }
    Ok(())
}

/// What happened, in order.
fn events(task: &Task) -> Vec<(Timestamp, String)> {
    let mut events =
        vec![(task.created_at, format!("created, as {}/{} {}", task.namespace, task.name, task.version))];
    for step in &task.steps {
        for attempt in &step.attempts {
            let name = &step.name;
            events.push((attempt.started_at, format!("{name}: attempt {} began", attempt.attempt)));
            let error = attempt.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let text = format!("{name}: attempt {} {}{error}", attempt.attempt, attempt.outcome);
            events.push((attempt.finished_at, text));
        }
        if let Some(claimed_at) = step.claimed_at {
            events
                .push((claimed_at, format!("{}: attempt {} is running", step.name, step.attempts.len() + 1)));
        }
    }
    for action in &task.actions {
        events.push((action.at, acted(action)));
    }
    if let Some(settled_at) = task.settled_at {
        events.push((settled_at, format!("the task is {}", task.state)));
    }
    // Stable: what happened in the same microsecond stays in the order of causes.
    events.sort_by_key(|(at, _)| *at);
    events
}
