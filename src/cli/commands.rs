//! The commands, each with its options.

use clap::{ArgMatches, FromArgMatches, Subcommand};

use crate::cli::{doctor, explain, graph, limit, migrate, run, task, validate, worker};

/// The commands of Tasker, for an application that has commands of its own: they are flattened into its
/// parser, and [`App::run`](crate::cli::App::run) runs the one that was given. Its own commands have other
/// names than these: `validate`, `explain`, `graph`, `run`, `task`, `worker`, `limit`, `doctor`
/// and `migrate`.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use clap::Parser;
/// use tasker::{Tasker, cli};
///
/// #[derive(Parser)]
/// #[command(version)]
/// struct Shop {
///     #[command(subcommand)]
///     command: Command,
/// }
///
/// #[derive(clap::Subcommand)]
/// enum Command {
///     /// Say hello
///     Hello,
///     #[command(flatten)]
///     Tasker(cli::Commands),
/// }
///
/// #[tokio::main]
/// async fn main() -> ExitCode {
///     match Shop::parse().command {
///         Command::Hello => println!("Hello!"),
///         Command::Tasker(commands) => {
///             let builder = Tasker::builder().templates("templates");
///             return cli::App::new(builder).version(env!("CARGO_PKG_VERSION")).run(commands).await;
///         }
///     }
///     ExitCode::SUCCESS
/// }
/// ```
#[derive(Debug)]
pub struct Commands(pub(super) Command);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check templates, and tell every fault with its place
    ///
    /// In a program with handlers linked in, all that a worker checks when it starts, but for the store: also
    /// whether the handlers can run the templates, and have the states that they take.
    Validate(validate::Options),
    /// Explain a fault by its number, as in `error[TSK111]`: what it means, an example, and the way out
    Explain(explain::Options),
    /// Draw the graph of a template
    Graph(graph::Options),
    /// Run a template with the handlers of this program, or a project or example with its own
    // `--help` after a path is for what is run there.
    #[command(disable_help_flag = true)]
    Run(run::Options),
    /// Look at the tasks of a store and steer them, also while workers run
    Task(task::Options),
    /// Run steps with the handlers of this program until SIGTERM or ctrl-C, or list the workers of a store
    Worker(worker::Options),
    /// Limit how many steps of a kind run at a time, and how often they start, over all workers of a store
    Limit(limit::Options),
    /// Check whether a store keeps its own rules, also while workers run, and repair it when asked
    Doctor(doctor::Options),
    /// Bring the schema of a store up to date, or print what that takes
    Migrate(migrate::Options),
}

impl FromArgMatches for Commands {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Command::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Subcommand for Commands {
    fn augment_subcommands(parser: clap::Command) -> clap::Command {
        Command::augment_subcommands(parser)
    }

    fn augment_subcommands_for_update(parser: clap::Command) -> clap::Command {
        Command::augment_subcommands_for_update(parser)
    }

    fn has_subcommand(name: &str) -> bool {
        Command::has_subcommand(name)
    }
}
