//! `tasker migrate`: brings the schema of a store up to date.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tasker_runtime::Builder;
use tasker_runtime::error::chain;
use tasker_runtime::store::{Migration, migrate, plan_migration};

use crate::cli::output::{CANNOT_START, USAGE, fail, print};
use crate::cli::store_options::StoreOptions;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    store: StoreOptions,
    /// Only print the SQL that would be run
    #[arg(long)]
    dry_run: bool,
    /// Print JSON instead: {"store", "from", "to", "sql", "dry_run"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(builder: Builder, options: &Options) -> ExitCode {
    let builder = options.store.apply(builder);
    let Some(url) = builder.store_location() else {
        return fail(
            USAGE,
            "this program opens its store itself; `--store` names the one to bring up to date",
        );
    };
    let done = if options.dry_run { plan_migration(url).await } else { migrate(url).await };
    let migration = match done {
        Ok(migration) => migration,
        Err(error) => return fail(CANNOT_START, chain(&error)),
    };
    if options.json {
        let mut answer = json!(migration);
        answer["dry_run"] = json!(options.dry_run);
        print(&answer.to_string());
    } else if options.dry_run {
        print(&format!("-- {}\n{}", told(&migration), migration.sql.join("\n\n")));
    } else {
        print(&told(&migration));
    }
    ExitCode::SUCCESS
}

fn told(migration: &Migration) -> String {
    let Migration { store, from, to, .. } = migration;
    if migration.is_done() {
        format!("{store}: has schema version {from}; there is nothing to do")
    } else {
        format!("{store}: from schema version {from} to {to}")
    }
}
