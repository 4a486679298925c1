//! The options of a command that looks at a store, and opening it.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use tasker_runtime::{Builder, Tasker};

use crate::cli::{USAGE, cannot_start, fail};

#[derive(Debug, Args)]
pub(super) struct AtStore {
    /// Where the tasks are kept: sqlite://PATH or postgres://USER@HOST/DATABASE
    #[arg(long, global = true, default_value = "sqlite://tasker.db", value_name = "URL")]
    pub(super) store: String,
    /// Print JSON instead
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl AtStore {
    /// Opens the store, which must be there; or says why not.
    pub(super) async fn open(&self, builder: Builder) -> Result<Tasker, ExitCode> {
        check_store(&self.store).await.map_err(|message| fail(USAGE, message))?;
        self.open_or_make(builder).await
    }

    /// Opens the store, and makes it where there is none.
    pub(super) async fn open_or_make(&self, builder: Builder) -> Result<Tasker, ExitCode> {
        let opened = builder.without_worker().store_url(&self.store).build().await;
        opened.map_err(|error| cannot_start(&error))
    }
}

/// Opening a store would make an empty one, and a slip in its URL look like tasks that are gone.
async fn check_store(url: &str) -> Result<(), String> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let is_there = Path::new(path).exists();
        return if is_there {
            Ok(())
        } else {
            Err(format!("there is no store `{url}`; `--store` names another"))
        };
    }
    match tasker_runtime::store::plan_migration(url).await {
        Ok(plan) if plan.from == 0 && plan.to > 0 => Err(format!(
            "there is no store in {}; `--store` names another, and `tasker migrate` makes one",
            plan.store
        )),
        // Whoever opens it says what is wrong.
        _ => Ok(()),
    }
}
