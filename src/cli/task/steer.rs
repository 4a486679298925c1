//! `tasker task cancel`, `give-up`, `retry`, `complete`, `resolve` and `prune`.

use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::json;
use tasker_runtime::json::Json;
use tasker_runtime::operate::{Operator, RetryScope};
use tasker_runtime::{Error, Task, TaskId, Tasker};

use crate::cli::new_task::context;
use crate::cli::output::{print, print_json};
use crate::cli::time::{duration, from_one};

/// Who acts: kept with the task.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Who you are
    #[arg(long, env = "USER", default_value = "operator", hide_env_values = true)]
    pub(super) by: String,
}

/// Who acts, and why: kept with the task.
#[derive(Debug, Args)]
struct Who {
    #[command(flatten)]
    by: By,
    /// Why it is done
    #[arg(long, short, default_value = "no reason given")]
    reason: String,
}

impl Who {
    fn operator(&self) -> Operator {
        Operator::new(&self.by.by).because(&self.reason)
    }
}

#[derive(Debug, Args)]
pub(super) struct WholeTask {
    /// The task's id
    task: TaskId,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The task's id
    task: TaskId,
    /// The step's name
    step: String,
    /// Also when another step needs its result, or when that is not known here
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub(super) struct Amend {
    /// The task's id
    task: TaskId,
    /// The whole new context: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE", value_parser = context)]
    context: Json,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true))]
pub(super) struct Retry {
    /// The task's id
    task: TaskId,
    /// This step, which failed for good
    #[arg(group = "scope")]
    step: Option<String>,
    /// All steps that failed; in a task that was cancelled or given up, all that did not complete
    #[arg(long, group = "scope")]
    all: bool,
    /// Also those of the steps that depend on it which failed
    #[arg(long, requires = "step", conflicts_with = "now")]
    downstream: bool,
    /// Run the next attempt of the step now, instead of when it is due
    #[arg(long, requires = "step")]
    now: bool,
    /// Only say what would be done
    #[arg(long, conflicts_with = "now")]
    dry_run: bool,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub(super) struct Complete {
    /// The task's id
    task: TaskId,
    /// The step's name
    step: String,
    /// The result, as the step's handler would have returned it
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    result: Json,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Over for longer than this, such as `30d` or `12h`
    #[arg(long, value_name = "AGE", value_parser = duration)]
    older_than: Duration,
    /// At most this many
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true, value_parser = from_one())]
    limit: usize,
}

/// The value with all its digits, as it was written.
fn json_value(text: &str) -> Result<Json, String> {
    Json::from_text(text.to_owned())
        .map_err(|error| format!("it is not JSON: {error}; text wants quotes: '\"text\"'"))
}

pub(super) fn done(task: &Task, what: &str, json: bool) {
    if json {
        print_json(task);
    } else {
        print(&format!("{what}; task {} is {}", task.id, task.state));
    }
}

pub(super) async fn cancel(tasker: &Tasker, options: &WholeTask, json: bool) -> Result<(), Error> {
    let task = tasker.cancel(options.task, &options.who.operator()).await?;
    done(&task, "cancelled", json);
    Ok(())
}

pub(super) async fn give_up(tasker: &Tasker, options: &WholeTask, json: bool) -> Result<(), Error> {
    let task = tasker.give_up(options.task, &options.who.operator()).await?;
    done(&task, "given up", json);
    Ok(())
}

pub(super) async fn retry(tasker: &Tasker, options: &Retry, json: bool) -> Result<(), Error> {
    let operator = options.who.operator();
    let scope = match (&options.step, options.downstream) {
        (Some(step), _) if options.now => {
            let task = tasker.retry_now(options.task, step, &operator).await?;
            done(&task, &format!("`{step}` runs now"), json);
            return Ok(());
        }
        (Some(step), true) => RetryScope::Downstream(step.clone()),
        (Some(step), false) => RetryScope::Step(step.clone()),
        (None, _) => RetryScope::All,
    };
    let plan = tasker.plan_retry(options.task, &scope).await?;
    let then = if plan.then.is_empty() { String::new() } else { format!("; then: {}", plan.then.join(", ")) };
    let steps = format!("{}{then}", plan.retried.join(", "));
    if options.dry_run {
        if json {
            print_json(&plan);
        } else {
            print(&format!("would be tried again: {steps}"));
        }
        return Ok(());
    }
    let task = tasker.retry(options.task, &scope, &operator).await?;
    done(&task, &format!("tried again: {steps}"), json);
    Ok(())
}

pub(super) async fn complete(tasker: &Tasker, options: &Complete, json: bool) -> Result<(), Error> {
    let operator = options.who.operator();
    let task = tasker.complete_step(options.task, &options.step, &options.result, &operator).await?;
    done(&task, &format!("completed `{}` by hand", options.step), json);
    Ok(())
}

pub(super) async fn resolve(tasker: &Tasker, options: &Resolve, json: bool) -> Result<(), Error> {
    let Resolve { task, step, force, who } = options;
    let task = if *force {
        tasker.resolve_step_anyway(*task, step, &who.operator()).await?
    } else {
        tasker.resolve_step(*task, step, &who.operator()).await?
    };
    done(&task, &format!("resolved `{step}`"), json);
    Ok(())
}

pub(super) async fn amend(tasker: &Tasker, options: &Amend, json: bool) -> Result<(), Error> {
    let task = tasker.amend(options.task, &options.context, &options.who.operator()).await?;
    done(&task, "amended", json);
    Ok(())
}

pub(super) async fn prune(tasker: &Tasker, options: &Prune, json: bool) -> Result<(), Error> {
    let pruned = tasker.prune(options.older_than, options.limit).await?;
    if json {
        print_json(&json!({ "pruned": pruned }));
    } else {
        print(&format!("deleted {pruned} tasks"));
    }
    Ok(())
}
