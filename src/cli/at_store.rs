//! The options of a command that looks at a store, and opening it.

use std::process::ExitCode;

use clap::Args;
use tasker_runtime::{Builder, Tasker};

use crate::cli::output::{USAGE, cannot_start, fail};
use crate::cli::program::Program;
use crate::cli::store_options::StoreOptions;

#[derive(Debug, Args)]
pub(super) struct AtStore {
    #[command(flatten)]
    store: StoreOptions,
    /// Print JSON instead
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl AtStore {
    /// Whether the arguments name a store.
    pub(super) fn names_a_store(&self) -> bool {
        self.store.is_given()
    }

    /// The builder with the store that the command is about.
    pub(super) fn prepare(&self, builder: Builder) -> Builder {
        self.store.apply(builder.without_worker())
    }

    /// Opens the store, which must be there; or says why not.
    pub(super) async fn open(&self, builder: Builder, program: &Program) -> Result<Tasker, ExitCode> {
        let builder = self.prepare(builder);
        if let Some(url) = builder.store_location() {
            check_store(url, program).await.map_err(|message| fail(USAGE, message))?;
        }
        open_or_make(builder).await
    }
}

/// Opens the store, and makes it where there is none.
pub(super) async fn open_or_make(builder: Builder) -> Result<Tasker, ExitCode> {
    builder.build().await.map_err(|error| cannot_start(&error))
}

/// Opening a store would make an empty one, and a slip in its URL look like tasks that are gone.
async fn check_store(url: &str, program: &Program) -> Result<(), String> {
    #[cfg(feature = "sqlite")]
    if let Ok(options) = tasker_runtime::store::SqliteOptions::from_url(url) {
        if url.ends_with(":memory:") {
            return Ok(());
        }
        let is_empty = match options.path().metadata() {
            Ok(file) => file.is_file() && file.len() == 0,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if is_empty {
            let store = options.path().display();
            return Err(format!(
                "there is no store `sqlite://{store}`; `--store` or TASKER_STORE_URL names another"
            ));
        }
        // A file that the store shares with an application may have the application's tables alone.
        if !url.contains("share=") {
            return Ok(());
        }
    }
    match tasker_runtime::store::plan_migration(url).await {
        Ok(plan) if plan.from == 0 && plan.to > 0 => Err(format!(
            "there is no store in {}; `--store` or TASKER_STORE_URL names another, and `{} migrate` \
             makes one",
            plan.store, program.name
        )),
        // Whoever opens it says what is wrong.
        _ => Ok(()),
    }
}
