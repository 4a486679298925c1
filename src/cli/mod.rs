//! The command line, as a library: an application mounts it with its own handlers linked in.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use tasker::Tasker;
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     let builder = Tasker::builder()
//!         .templates("templates")
//!         .store_url("postgres://shop@db.example/shop")
//!         .state("whatever the handlers take".to_owned());
//!     tasker::cli::main(builder).await
//! }
//! ```
//!
//! The builder's store and templates are what the commands work with. Another store is named by `--store`,
//! or else by the environment in `TASKER_STORE_URL`; templates that arguments name are added.
//!
//! [`App`] says the application's name and version too. An application with commands of its own has
//! [`Commands`] beside them in its parser, and [`App::run`] runs those.

mod app;
mod at_store;
mod chosen;
mod commands;
mod diff;
mod doctor;
mod explain;
mod follow;
#[cfg(feature = "generate")]
mod generate;
mod graph;
mod launch;
mod limit;
mod migrate;
mod new;
mod new_task;
mod output;
mod paths;
mod program;
mod report;
mod requested;
mod run;
mod schema;
mod stop;
mod store_options;
mod taken;
mod task;
mod time;
mod validate;
mod worker;

use std::process::ExitCode;

use tasker_runtime::Builder;

pub use app::App;
pub use commands::Commands;
pub use follow::{run_task, run_workflow};
pub use output::{Display, cannot_start, log_to_stderr, short};
pub use report::report;
pub use store_options::StoreOptions;
pub use time::factor;
pub use worker::{WorkerOptions, run_worker};

/// Runs the command line with the process's arguments: short for `App::new(builder).main()`.
///
/// `builder` has the states that the handlers take, and the store and the templates that commands work with
/// unless their arguments name others. Messages call the program by the name of its file; see [`App`] for
/// another name, and for its version.
pub async fn main(builder: Builder) -> ExitCode {
    App::new(builder).main().await
}
