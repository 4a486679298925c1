//! The command line of an application: what it works with, and what it calls itself.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tasker_runtime::Builder;

use crate::cli::commands::{Command, Commands};
use crate::cli::output::{USAGE, ended, fail, log_to_stderr, note};
use crate::cli::program::Program;
use crate::cli::{diff, doctor, explain, graph, limit, migrate, new, run, schema, task, validate, worker};

/// Runs workflows that YAML task templates declare.
///
/// A path in the place of a command is short for `run PATH`.
///
/// Exit codes: 0 all went well, 1 a task did not complete, a template is wrong or a change is breaking, 2 wrong
/// arguments, 3 the runtime cannot start, 130 interrupted.
#[derive(Debug, Parser)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: CommandOrPath,
}

#[derive(Debug, Subcommand)]
enum CommandOrPath {
    #[command(flatten)]
    Command(Commands),
    /// What is no command is a path to run.
    #[command(external_subcommand)]
    Path(Vec<OsString>),
}

/// An application on the command line: its builder, its name and its version.
///
/// ```no_run
/// # async fn example() -> std::process::ExitCode {
/// let builder = tasker::Tasker::builder().templates("templates").store_url("sqlite://shop.db");
/// tasker::cli::App::new(builder).name("shop").version(env!("CARGO_PKG_VERSION")).main().await
/// # }
/// ```
#[derive(Debug)]
pub struct App {
    builder: Builder,
    program: Program,
}

impl App {
    /// An application with what this builder has: the states that its handlers take, and the store and the
    /// templates that commands work with unless their arguments name others.
    #[must_use]
    pub fn new(builder: Builder) -> Self {
        Self { builder, program: Program::started() }
    }

    /// What it is called in help and messages, and with its version in what a worker says of itself; the name
    /// of the program's file unless this is said.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.program.name = name.into();
        self
    }

    /// Its version, for `--version` and for what a worker prints first: `env!("CARGO_PKG_VERSION")`.
    /// Without it only Tasker's own version is known.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.program.version = Some(version);
        self
    }

    /// Runs the command that the process's arguments name.
    ///
    /// When they are wrong, or ask for help or for the version, that is told and nothing is run.
    pub async fn main(self) -> ExitCode {
        let mut parser = self.parser();
        let parsed = parser.try_get_matches_from_mut(std::env::args_os());
        let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
        let cli = match parsed {
            Ok(cli) => cli,
            // Wrong arguments, or help.
            Err(error) => {
                let error = error.format(&mut parser);
                note(error.print());
                return ended(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE)));
            }
        };
        match cli.command {
            CommandOrPath::Command(commands) => self.run(commands).await,
            CommandOrPath::Path(words) => match run::Options::from_words(words, &self.program) {
                Ok(options) => self.run(Commands(Command::Run(options))).await,
                Err(message) => fail(USAGE, message),
            },
        }
    }

    /// Runs a command that the application's own parser has read; see [`Commands`].
    pub async fn run(self, commands: Commands) -> ExitCode {
        log_to_stderr();
        let (mut parser, Self { builder, program }) = (self.parser(), self);
        let builder = builder.program_by_default(program.title());
        let code = match commands.0 {
            Command::New(options) => new::run(&options, &program),
            Command::Validate(options) => validate::run(builder, &options, &program),
            Command::Explain(options) => explain::run(&options),
            Command::Diff(options) => diff::run(builder, options, &program).await,
            Command::Graph(options) => graph::run(builder, &options, &program),
            #[cfg(feature = "generate")]
            Command::Generate(options) => crate::cli::generate::run(builder, &options, &program),
            Command::Schema(options) => schema::run(&builder, &options),
            Command::Run(options) if options.asks_for_help() => {
                parser.build();
                if let Some(run) = parser.find_subcommand_mut("run") {
                    note(run.print_long_help());
                }
                ExitCode::SUCCESS
            }
            Command::Run(options) => run::run(builder, options, &program).await,
            Command::Task(options) => task::run(builder, options, &program).await,
            Command::Worker(options) => worker::run(builder, options, &program).await,
            Command::Limit(options) => limit::run(builder, options, &program).await,
            Command::Doctor(options) => doctor::run(builder, &options, &program).await,
            Command::Migrate(options) => migrate::run(builder, &options).await,
        };
        ended(code)
    }

    fn parser(&self) -> clap::Command {
        let Program { name, .. } = &self.program;
        Cli::command().display_name(name).bin_name(name).version(self.program.version_text())
    }
}
