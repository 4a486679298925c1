//! The command line, as a library: an application mounts it with its own handlers linked in.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use tasker::Tasker;
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     tasker::cli::main(Tasker::builder().state("whatever the handlers take".to_owned())).await
//! }
//! ```

mod at_store;
mod follow;
mod graph;
mod launch;
mod limit;
mod migrate;
mod new_task;
mod report;
mod run;
mod stop;
mod task;
mod time;
mod validate;
mod worker;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tasker_runtime::Builder;
use tracing_subscriber::EnvFilter;

pub use follow::run_task;
pub use report::report;
pub use worker::{WorkerOptions, run_worker};

/// The task did not complete, or a template is wrong.
const FAILED: u8 = 1;
/// The arguments are wrong.
const USAGE: u8 = 2;
/// A runtime could not be built.
const CANNOT_START: u8 = 3;
/// Ended by ctrl-C, or as a shell calls that.
const INTERRUPTED: u8 = 130;

/// Runs workflows that YAML task templates declare.
///
/// Exit codes: 0 all went well, 1 a task did not complete or a template is wrong, 2 wrong arguments,
/// 3 the runtime cannot start, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "tasker", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check templates, and tell every fault with its place
    ///
    /// In a program with handlers linked in, also whether those can run them.
    Validate(validate::Options),
    /// Draw the graph of a template
    Graph(graph::Options),
    /// Run a template with the handlers of this program, or a project or example with its own
    ///
    /// `tasker PATH` is short for `tasker run PATH`.
    // `--help` after a path is for what is run there.
    #[command(disable_help_flag = true)]
    Run(run::Options),
    /// Look at the tasks of a store, and steer them: also while workers run
    Task(task::Options),
    /// Run steps with the handlers of this program until SIGTERM or ctrl-C, or list the workers of a store
    Worker(worker::Options),
    /// Limit how many steps of a callable or namespace run at a time, and how often they start, over all workers
    Limit(limit::Options),
    /// Bring the schema of a store up to date, or print what that takes
    Migrate(migrate::Options),
    /// What is no command is a path to run.
    #[command(external_subcommand)]
    Path(Vec<OsString>),
}

/// Runs the command line with the process's arguments. `builder` has the states that the handlers
/// take; templates and store come from the arguments.
pub async fn main(builder: Builder) -> ExitCode {
    log_to_stderr();
    match Cli::parse().command {
        Command::Validate(options) => validate::run(&builder, &options),
        Command::Graph(options) => graph::run(&options),
        Command::Run(options) if options.asks_for_help() => {
            let mut cli = Cli::command();
            cli.build();
            if let Some(run) = cli.find_subcommand_mut("run") {
                // A reader that has gone away is no error.
                let _ = run.print_long_help();
            }
            ExitCode::SUCCESS
        }
        Command::Run(options) => run::run(builder, options).await,
        Command::Task(options) => task::run(builder, options).await,
        Command::Worker(options) => worker::run(builder, options).await,
        Command::Limit(options) => limit::run(builder, options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Path(words) => match run::Options::from_words(words) {
            Ok(options) => run::run(builder, options).await,
            Err(message) => fail(USAGE, message),
        },
    }
}

/// How a run is shown: as JSON, as a live picture on a terminal, or as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// A JSON object a line, and nothing else on standard output.
    Json,
    /// For people: live on a terminal.
    Person,
}

impl Display {
    /// JSON when asked for.
    #[must_use]
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Person }
    }
}

/// Sends the log to standard error: errors, and warnings about templates, unless `RUST_LOG` says otherwise.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("error,tasker_runtime::builder=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The application may have a log already; then that one stays.
    let _ = log.with_ansi(console::colors_enabled_stderr()).try_init();
}

/// The path as one would type it here: relative to the current directory where it lies below that.
#[must_use]
pub fn short(path: &Path) -> PathBuf {
    let below =
        std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or_else(|| path.to_owned())
}

/// Reads a factor: a number that is not negative.
///
/// # Errors
///
/// When it is no such number.
///
/// ```
/// assert_eq!(tasker::cli::factor("0.1"), Ok(0.1));
/// assert!(tasker::cli::factor("-1").is_err() && tasker::cli::factor("nan").is_err());
/// ```
pub fn factor(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.parse().ok();
    factor
        .filter(|factor| factor.is_finite() && *factor >= 0.0)
        .ok_or_else(|| "write a number from 0 up".to_owned())
}

/// Says why a runtime cannot start, on standard error.
#[must_use]
pub fn cannot_start(error: &tasker_runtime::BuildError) -> ExitCode {
    say(&format!("{error}\n"));
    ExitCode::from(CANNOT_START)
}

fn fail(code: u8, message: impl fmt::Display) -> ExitCode {
    say(&format!("error: {message}"));
    ExitCode::from(code)
}

/// The one place that writes to standard error.
#[allow(clippy::print_stderr, reason = "a command line talks to a person")]
fn say(message: &str) {
    eprintln!("{message}");
}

/// The one place that writes to standard output. A reader that has gone away, as `| head` does, is no error.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
