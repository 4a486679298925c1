//! `tasker limit set`, `list` and `remove`: the fleet limits, which hold for all workers of a store together.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;
use tasker_runtime::error::chain;
use tasker_runtime::limits::{FleetLimit, LimitRecord, LimitScope, Rate};
use tasker_runtime::{Builder, Error, Tasker};

use crate::cli::at_store::AtStore;
use crate::cli::output::{FAILED, fail, print, say};
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
    /// Set a limit; it replaces the one on the same callable or namespace
    ///
    /// Workers apply it within about one poll interval, by default a second. Steps that are running when it
    /// is lowered go on until they end.
    Set(Set),
    /// List the limits, and how much of each is in use
    List,
    /// Remove a limit
    Remove(On),
}

/// The steps that a limit is on.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true))]
struct On {
    /// The steps that this callable runs
    #[arg(long, group = "scope", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    callable: Option<String>,
    /// The steps of all templates in this namespace
    #[arg(long, group = "scope", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    namespace: Option<String>,
}

impl On {
    fn scope(&self) -> LimitScope {
        match (&self.callable, &self.namespace) {
            (Some(callable), _) => LimitScope::Callable(callable.clone()),
            (None, namespace) => LimitScope::Namespace(namespace.clone().unwrap_or_default()),
        }
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("limit").required(true).multiple(true))]
struct Set {
    #[command(flatten)]
    on: On,
    /// Run at most this many at a time, over all workers; 0 pauses them
    #[arg(long, group = "limit", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    concurrency: Option<u32>,
    /// Start at most this many in this time, over all workers and evenly spaced, such as `100/s`, `5/min`,
    /// `20/h` or `3/10s`
    #[arg(long, group = "limit", value_name = "RATE")]
    rate: Option<Rate>,
}

pub(super) async fn run(builder: Builder, options: Options, program: &Program) -> ExitCode {
    let tasker = match options.at.open(builder, program).await {
        Ok(tasker) => tasker,
        Err(code) => return code,
    };
    let done = match &options.command {
        Command::Set(limit) => set(&tasker, limit, options.at.json).await,
        Command::List => list(&tasker, options.at.json).await,
        Command::Remove(on) => remove(&tasker, &on.scope(), options.at.json).await,
    };
    tasker.shutdown().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, chain(&error)),
    }
}

async fn set(tasker: &Tasker, options: &Set, as_json: bool) -> Result<(), Error> {
    let mut limit = FleetLimit::new(options.on.scope());
    (limit.concurrency, limit.rate) = (options.concurrency, options.rate);
    tasker.set_limit(limit.clone()).await?;
    if let Some(unknown) = tasker.unknown_scope(&limit.scope).await? {
        say(&format!("warning: {unknown}"));
    }
    if as_json {
        return list(tasker, true).await;
    }
    print(&format!("{}: {}", limit.scope, limits(&limit)));
    Ok(())
}

async fn remove(tasker: &Tasker, scope: &LimitScope, as_json: bool) -> Result<(), Error> {
    tasker.remove_limit(scope.clone()).await?;
    if as_json {
        return list(tasker, true).await;
    }
    print(&format!("{scope}: no limit any more"));
    Ok(())
}

async fn list(tasker: &Tasker, as_json: bool) -> Result<(), Error> {
    let records = tasker.limits().await?;
    if as_json {
        print(&json!({ "limits": records }).to_string());
        return Ok(());
    }
    if records.is_empty() {
        print("nothing is limited");
    }
    records.iter().for_each(|record| print(&line(record)));
    Ok(())
}

fn limits(limit: &FleetLimit) -> String {
    let concurrency = limit.concurrency.map(|max| match max {
        0 => "paused".to_owned(),
        max => format!("at most {max} at a time"),
    });
    let rate = limit.rate.map(|rate| format!("at most {rate}"));
    concurrency.into_iter().chain(rate).collect::<Vec<_>>().join(", ")
}

fn line(record: &LimitRecord) -> String {
    let LimitRecord { limit, held, workers, waiting, .. } = record;
    let counted = |count: u32| if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") };
    let of = limit.concurrency.map(|max| format!(" of {max}")).unwrap_or_default();
    let by = if *held > 0 { format!(" by {}", counted(*workers)) } else { String::new() };
    let waiting = if *waiting > 0 { format!(", {} waiting", counted(*waiting)) } else { String::new() };
    format!("{}  {}  {held}{of} held{by}{waiting}", limit.scope, limits(limit))
}
