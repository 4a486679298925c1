//! `tasker task …`: looks at the tasks of a store and steers them, from any process, while workers run.

mod create;
mod dead_letters;
mod list;
mod show;
mod steer;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use tasker_runtime::{Builder, Error, TaskId, Tasker};

use crate::cli::at_store::AtStore;
use crate::cli::new_task::refused;
use crate::cli::{USAGE, fail, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: AtStore,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a task and tell its id; a worker on the same store runs it
    Create(Box<create::Options>),
    /// List tasks, the newest first
    List(list::Options),
    /// Show a task: its graph, what each step returned, what went wrong, what operators did
    Show(show::Options),
    /// What happened to a task, in order
    Timeline(show::Options),
    /// End a task; its running handlers are told, and ended after a while
    Cancel(steer::WholeTask),
    /// End a task in the state `error`: it is not worth more attempts
    GiveUp(steer::WholeTask),
    /// Try failed steps again, each with a fresh budget of attempts
    Retry(steer::Retry),
    /// Complete a step with a result that was made by hand
    Complete(steer::Complete),
    /// Let what waits for a step go on without its result
    Resolve(steer::OneStep),
    /// List unfinished tasks that have been where they are for too long
    Stale(list::Stale),
    /// List tasks that were given up: those that nobody has seen to yet
    DeadLetters(dead_letters::Options),
    /// Note what has become of a task that was given up; nothing else of it changes
    Investigate(dead_letters::Investigate),
    /// Delete tasks that have been complete, cancelled or given up for long enough
    Prune(steer::Prune),
}

pub(super) async fn run(builder: Builder, options: Options) -> ExitCode {
    let opened = match &options.command {
        // The one that may make a store.
        Command::Create(create) => match create.prepare(builder, &options.at.store) {
            Ok(builder) => options.at.open_or_make(builder).await,
            Err(message) => return fail(USAGE, message),
        },
        _ => options.at.open(builder).await,
    };
    let tasker = match opened {
        Ok(tasker) => tasker,
        Err(code) => return code,
    };
    let json = options.at.json;
    let done = match options.command {
        Command::Create(options) => create::create(&tasker, &options, json).await,
        Command::List(options) => list::list(&tasker, &options, json).await,
        Command::Stale(options) => list::stale(&tasker, &options, json).await,
        Command::Show(options) => show::show(&tasker, options.task, json).await,
        Command::Timeline(options) => show::timeline(&tasker, options.task, json).await,
        Command::Cancel(options) => steer::cancel(&tasker, &options, json).await,
        Command::GiveUp(options) => steer::give_up(&tasker, &options, json).await,
        Command::Retry(options) => steer::retry(&tasker, &options, json).await,
        Command::Complete(options) => steer::complete(&tasker, &options, json).await,
        Command::Resolve(options) => steer::resolve(&tasker, &options, json).await,
        Command::DeadLetters(options) => dead_letters::list(&tasker, &options, json).await,
        Command::Investigate(options) => dead_letters::investigate(&tasker, &options, json).await,
        Command::Prune(options) => steer::prune(&tasker, &options, json).await,
    };
    tasker.shutdown().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error, json),
    }
}

/// One value as JSON.
fn print_json(value: &impl Serialize) {
    print(&serde_json::to_string(value).unwrap_or_else(|error| error.to_string()));
}

/// A task by its id.
async fn find(tasker: &Tasker, id: TaskId) -> Result<tasker_runtime::Task, Error> {
    tasker.get_task(id).await
}
