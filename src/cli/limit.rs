//! `tasker limit set`, `list` and `remove`: limits that hold for all workers of a store together.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;
use tasker_runtime::error::chain;
use tasker_runtime::limits::{FleetLimit, LimitRecord, LimitScope, Rate};
use tasker_runtime::{Builder, Error, Tasker};

use crate::cli::at_store::AtStore;
use crate::cli::{FAILED, fail, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: AtStore,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a limit, in the place of the one that there is on the same callable or namespace
    ///
    /// Workers keep to it within about their poll interval, a second unless they were told otherwise. When it
    /// is lowered, steps that run may end.
    Set(Set),
    /// List what is limited, and how much of it is in use
    List,
    /// Remove a limit
    Remove(On),
}

/// What a limit is on.
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
    /// At most this many at a time, over all workers; 0 pauses them
    #[arg(long, group = "limit", value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    concurrency: Option<u32>,
    /// So many starts in so much time, over all workers and evenly spaced, such as `100/s`, `5/min`, `20/h` or
    /// `3/10s`
    #[arg(long, group = "limit", value_name = "RATE")]
    rate: Option<Rate>,
}

pub(super) async fn run(builder: Builder, options: Options) -> ExitCode {
    let tasker = match options.at.open(builder).await {
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
    let concurrency = limit.concurrency.map(|most| match most {
        0 => "paused".to_owned(),
        most => format!("at most {most} at a time"),
    });
    let rate = limit.rate.map(|rate| format!("at most {rate}"));
    concurrency.into_iter().chain(rate).collect::<Vec<_>>().join(", ")
}

fn line(record: &LimitRecord) -> String {
    let LimitRecord { limit, held, workers, waiting, .. } = record;
    let counted = |count: u32| if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") };
    let of = limit.concurrency.map(|most| format!(" of {most}")).unwrap_or_default();
    let by = if *held > 0 { format!(" by {}", counted(*workers)) } else { String::new() };
    let waiting = if *waiting > 0 { format!(", {} waiting", counted(*waiting)) } else { String::new() };
    format!("{}  {}  {held}{of} held{by}{waiting}", limit.scope, limits(limit))
}
