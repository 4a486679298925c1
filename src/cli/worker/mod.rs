//! `tasker worker`: runs the steps of a store's tasks until a signal ends it.

mod list;
mod shown;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use tasker_runtime::{Builder, Tasker};

use crate::cli::chosen::with_templates;
use crate::cli::output::{CANNOT_START, USAGE, cannot_start, fail, log_to_stderr};
use crate::cli::program::Program;
use crate::cli::stop::{StopSignals, leave_behind_what_blocks};
use crate::cli::store_options::StoreOptions;
use crate::cli::time::duration;
use shown::Shown;

const NO_HANDLERS: &str = "this program has no step handlers, and a worker runs those of its own program: \
    give your program this command line with `tasker::cli::main(tasker::Tasker::builder()).await` in its \
    `main`, and start it as `YOUR_PROGRAM worker TEMPLATE…`";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(super) struct Options {
    /// Template files, or directories of them, beside the program's own templates
    #[arg(value_name = "TEMPLATE|DIRECTORY")]
    templates: Vec<PathBuf>,
    #[command(flatten)]
    worker: WorkerOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the workers of a store, and what each of them runs
    List(list::Options),
}

/// What a worker can be told by its arguments; for a program that has its own command line and its own
/// templates.
///
/// ```
/// use clap::Parser;
///
/// #[derive(Debug, Parser)]
/// struct Options {
///     #[command(subcommand)]
///     command: Command,
/// }
///
/// #[derive(Debug, clap::Subcommand)]
/// enum Command {
///     /// Run steps until a signal ends it
///     Worker(tasker::cli::WorkerOptions),
/// }
///
/// let words = ["shop", "worker", "--store", "postgres://localhost/shop", "--namespaces", "billing,stock"];
/// assert!(Options::try_parse_from(words).is_ok());
/// ```
#[derive(Debug, Args)]
pub struct WorkerOptions {
    #[command(flatten)]
    store: StoreOptions,
    /// Run steps of templates in these namespaces only; what others need may be missing here
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    namespaces: Vec<String>,
    /// At most this many steps at a time; 64 unless the program says otherwise
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,
    /// How often to look for work without being notified, such as `200ms`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    poll_interval: Option<Duration>,
    /// How long running steps may take to end after a signal, such as `30s`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    grace_period: Option<Duration>,
    /// Which of the templates' environments applies
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Print a JSON object a line instead
    #[arg(long)]
    json: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

impl WorkerOptions {
    fn apply(&self, builder: Builder) -> Builder {
        fn with<T>(builder: Builder, value: Option<T>, set: impl FnOnce(Builder, T) -> Builder) -> Builder {
            match value {
                Some(value) => set(builder, value),
                None => builder,
            }
        }
        let builder = self.store.apply(builder);
        let builder = with(builder, self.environment.as_deref(), |builder, name| builder.environment(name));
        let builder = with(builder, self.concurrency, |builder, most| builder.concurrency(most.get()));
        let builder = with(builder, self.poll_interval, Builder::poll_interval);
        let builder = with(builder, self.grace_period, Builder::grace_period);
        let namespaces = Some(&self.namespaces).filter(|namespaces| !namespaces.is_empty());
        with(builder, namespaces, |builder, namespaces| builder.namespaces(namespaces))
    }
}

pub(super) async fn run(builder: Builder, options: Options, program: &Program) -> ExitCode {
    if let Some(Command::List(options)) = &options.command {
        return list::run(builder, options, program).await;
    }
    let builder = with_templates(builder, &options.templates);
    if !builder.has_templates() {
        let name = &program.name;
        return fail(
            USAGE,
            format!("{name} has no templates of its own: name some, `{name} worker <TEMPLATE|DIRECTORY>...`"),
        );
    }
    run_as(builder, &options.worker, program).await
}

/// Runs steps with the handlers of this program until SIGTERM, SIGHUP or ctrl-C; then claims no more, lets
/// the steps that run end for as long as the grace period, and hands the others back. A second signal
/// ends the process at once.
///
/// `builder` has the templates and what the handlers take; what `options` say comes first.
///
/// ```no_run
/// # async fn example(options: tasker::cli::WorkerOptions) -> std::process::ExitCode {
/// let builder = tasker::Tasker::builder().templates("templates").state("what handlers take".to_owned());
/// tasker::cli::run_worker(builder, &options).await
/// # }
/// ```
pub async fn run_worker(builder: Builder, options: &WorkerOptions) -> ExitCode {
    run_as(builder, options, &Program::started()).await
}

/// As [`run_worker`], by the program's own name.
async fn run_as(builder: Builder, options: &WorkerOptions, program: &Program) -> ExitCode {
    log_to_stderr();
    if !builder.has_handlers() {
        return fail(CANNOT_START, NO_HANDLERS);
    }
    // Before there is anything to lose.
    let mut signals = match StopSignals::new("stopped at once; what was running is run again") {
        Ok(signals) => signals,
        Err(error) => return fail(CANNOT_START, format!("signals cannot be waited for: {error}")),
    };
    let tasker = match options.apply(builder).build().await {
        Ok(tasker) => tasker,
        Err(error) => return cannot_start(&error),
    };
    signals.set_grace_of(&tasker);
    let shown = Shown::new(options.json, options.quiet);
    shown.begin(program, &tasker.describe());
    work(&tasker, &shown, &mut signals).await
}

async fn work(tasker: &Tasker, shown: &Shown, signals: &mut StopSignals) -> ExitCode {
    let mut events = tasker.subscribe();
    tokio::select! {
        () = shown.follow(&mut events) => {}
        () = signals.first() => {}
    }
    shown.say("stopping: running steps may end first; another signal stops at once");
    tokio::select! {
        () = shown.follow(&mut events) => {}
        () = tasker.shutdown() => {}
    }
    while let Some(event) = events.try_next() {
        shown.show(&event);
    }
    shown.say("stopped");
    leave_behind_what_blocks(tasker, 0);
    ExitCode::SUCCESS
}
