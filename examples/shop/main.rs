//! An application that mounts the command line and has a command of its own beside it. Its store and its
//! templates are what every command works with.
//!
//! ```sh
//! cargo run --example shop -- order book 1250      # its own command
//! cargo run --example shop -- task list            # Tasker's, on the same store
//! cargo run --example shop -- worker               # runs what others have ordered
//! ```

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use tasker::cli::{self, App, Display};
use tasker::prelude::*;

/// Sells things.
#[derive(Debug, Parser)]
#[command(name = "shop", version)]
struct Shop {
    #[command(flatten)]
    store: cli::StoreOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Order a thing, and wait until it is paid
    Order {
        /// The thing
        item: String,
        /// What it costs
        cents: u64,
    },
    #[command(flatten)]
    Tasker(cli::Commands),
}

#[step_handler("Shop::Reserve")]
async fn reserve(#[input("item")] item: String) -> String {
    format!("one {item}")
}

#[step_handler("Shop::Charge")]
async fn charge(
    #[depends_on(reserve)] reserved: String,
    #[input("cents")] cents: u64,
) -> Result<String, StepError> {
    match cents {
        0 => Err(StepError::permanent("nothing is for free").with_code("FREE")),
        cents => Ok(format!("{reserved} for {cents} cents")),
    }
}

#[derive(Serialize, WorkflowInput)]
struct Wanted {
    item: String,
    cents: u64,
}

tasker::workflow! {
    /// Reserves a thing and charges for it.
    pub order(Wanted) = "examples/shop/templates/order.yaml" { reserve, charge }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Shop { store, command } = Shop::parse();
    let builder = Tasker::builder().workflow(order).store_url("sqlite://shop.db");
    match command {
        Command::Order { item, cents } => match store.apply(builder).build().await {
            Ok(tasker) => {
                let create = order::create(&tasker, Wanted { item, cents }).source_system("shop");
                cli::run_workflow(create, Display::new(false)).await
            }
            Err(error) => cli::cannot_start(&error),
        },
        Command::Tasker(commands) => {
            App::new(builder).name("shop").version(env!("CARGO_PKG_VERSION")).run(commands).await
        }
    }
}
