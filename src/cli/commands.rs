//! The commands, each with its options.

use clap::{ArgMatches, FromArgMatches, Subcommand};

#[cfg(feature = "generate")]
use crate::cli::generate;
use crate::cli::{diff, doctor, explain, graph, limit, migrate, new, run, schema, task, validate, worker};

/// The commands of Tasker, for an application that has commands of its own: they are flattened into its
/// parser, and [`App::run`](crate::cli::App::run) runs the one that was given. Its own commands have other
/// names than these: `new`, `validate`, `diff`, `explain`, `graph`, `generate`, `schema`, `run`, `task`,
/// `worker`, `limit`, `doctor` and `migrate`.
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
    /// Make a crate with a template, handlers, tests, and this command line over them
    #[command(disable_version_flag = true)]
    New(new::Options),
    /// Check templates, and tell every fault with its place
    ///
    /// In a program with handlers linked in, all that a worker checks when it starts, but for the store: also
    /// whether the handlers can run the templates, and have the states that they take.
    Validate(validate::Options),
    /// Tell what changed from one template to another, and whether it breaks tasks in flight or callers
    ///
    /// A task in flight keeps the template that it was created with, and goes on with the handlers of the program
    /// that runs then. It breaks where the new template runs a callable no more, where a step is renamed or waits for
    /// another that a handler may read, and where a schema refuses what it has. Callers create tasks, read their
    /// results and name their steps: they break where a context is refused that was accepted, or a step or its result
    /// is not what it was. Retries, timeouts, descriptions and the like break nothing, and are listed.
    ///
    /// Schemas are compared as contracts: the new `input_schema` must accept what the old one accepted, and the new
    /// `result_schema` of a step must allow nothing that the old one refused. Differences that cannot be compared,
    /// such as those of a `pattern`, count as breaking.
    ///
    /// Examples:
    ///
    ///   git show main:templates/order.yaml | tasker diff - templates/order.yaml
    ///   tasker diff --store sqlite://shop.db shop/order@1.0.0 templates/order.yaml
    ///
    /// Exit codes: 0 nothing is breaking, 1 a change is breaking or a template has faults, 2 wrong arguments.
    #[command(verbatim_doc_comment)]
    Diff(diff::Options),
    /// Explain a fault by its number, as in `error[TSK111]`: what it means, an example, and the way out
    Explain(explain::Options),
    /// Draw the graph of a template
    Graph(graph::Options),
    /// Write handlers for a template, or a template for handlers
    #[cfg(feature = "generate")]
    Generate(generate::Options),
    /// Print the JSON schema of template files, by which editors complete and check them
    ///
    /// In a program with handlers linked in, it has their callables and methods, and the namespaces of the
    /// program's templates.
    ///
    /// Editors with yaml-language-server, such as VS Code with the extension YAML, Neovim, Helix and Zed, read
    /// it for a file that has this line, with the path of the schema as seen from the file:
    ///
    ///   # yaml-language-server: $schema=../template.schema.json
    ///
    /// For all files of a directory, it is a setting of the editor. In VS Code:
    ///
    ///   "yaml.schemas": {"./template.schema.json": "templates/**/*.yaml"}
    ///
    /// It accepts each file that loads, but for those with an unknown key. What concerns several places of a
    /// file, such as a cycle, only `validate` finds.
    #[command(verbatim_doc_comment)]
    Schema(schema::Options),
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
