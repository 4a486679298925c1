//! `tasker task …`: looks at the tasks of a store and steers them, from any process, while workers run.

mod create;
mod dead_letters;
mod list;
mod show;
mod steer;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tasker_runtime::Builder;

use crate::cli::at_store::AtStore;
use crate::cli::new_task::refused;
use crate::cli::program::Program;

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
    #[command(flatten)]
    AtStore(CommandAtStore),
}

/// What is done at a store that must be there.
#[derive(Debug, Subcommand)]
enum CommandAtStore {
    /// List tasks, the newest first
    List(list::Options),
    /// Show a task: its graph, what each step returned, what went wrong, what operators did
    Show(show::Options),
    /// Show what happened to a task, in order
    Timeline(show::Options),
    /// End a task; its running handlers are told, and ended after a while
    Cancel(steer::WholeTask),
    /// End a task in the state `error`, because more attempts are not worth it
    GiveUp(steer::WholeTask),
    /// Try failed steps again, each with a fresh budget of attempts
    Retry(steer::Retry),
    /// Complete a step with a result that was made by hand
    Complete(steer::Complete),
    /// Let what waits for a step go on without its result
    Resolve(steer::Resolve),
    /// Replace the context of a task that is not over; steps that failed are tried again by `retry`
    Amend(steer::Amend),
    /// List unfinished tasks that have been where they are for too long
    Stale(list::Stale),
    /// List tasks that were given up and have not been investigated yet
    DeadLetters(dead_letters::Options),
    /// Note what has become of a task that was given up; nothing else of it changes
    Investigate(dead_letters::Investigate),
    /// Delete tasks that have been complete, cancelled or given up for long enough
    Prune(steer::Prune),
}

pub(super) async fn run(builder: Builder, options: Options, program: &Program) -> ExitCode {
    let command = match options.command {
        // The one that may make a store.
        Command::Create(create) => return create::run(builder, &create, &options.at, program).await,
        Command::AtStore(command) => command,
    };
    let tasker = match options.at.open(builder, program).await {
        Ok(tasker) => tasker,
        Err(code) => return code,
    };
    let json = options.at.json;
    let done = match command {
        CommandAtStore::List(options) => list::list(&tasker, &options, json).await,
        CommandAtStore::Stale(options) => list::stale(&tasker, &options, json).await,
        CommandAtStore::Show(options) => show::show(&tasker, options.task, program, json).await,
        CommandAtStore::Timeline(options) => show::timeline(&tasker, options.task, json).await,
        CommandAtStore::Cancel(options) => steer::cancel(&tasker, &options, json).await,
        CommandAtStore::GiveUp(options) => steer::give_up(&tasker, &options, json).await,
        CommandAtStore::Retry(options) => steer::retry(&tasker, &options, json).await,
        CommandAtStore::Complete(options) => steer::complete(&tasker, &options, json).await,
        CommandAtStore::Resolve(options) => steer::resolve(&tasker, &options, json).await,
        CommandAtStore::Amend(options) => steer::amend(&tasker, &options, json).await,
        CommandAtStore::DeadLetters(options) => dead_letters::list(&tasker, &options, json).await,
        CommandAtStore::Investigate(options) => dead_letters::investigate(&tasker, &options, json).await,
        CommandAtStore::Prune(options) => steer::prune(&tasker, &options, json).await,
    };
    tasker.shutdown().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error, json),
    }
}
