//! `run`: a template with the handlers of this program, or a project or example with its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};
use tasker_runtime::{Builder, NewTask};

use crate::cli::chosen::{choose, is_template_file};
use crate::cli::follow;
use crate::cli::output::{CANNOT_START, Display, USAGE, cannot_start, fail, note};
use crate::cli::program::Program;
use crate::cli::requested::RequestedTask;
use crate::cli::store_options::{StoreAbove, StoreOptions};
use crate::cli::time::factor;
use crate::cli::{launch, new_task};

/// How arguments ask for a task besides one with the same context.
const ANOTHER: &str = "`--identity always_unique`";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, the name of one of this program's templates (with @VERSION or @latest where it has
    /// several), a Cargo project, or an example's folder or file. May be left out when the program has only one
    /// template
    #[arg(allow_hyphen_values = true)]
    path: Option<PathBuf>,
    /// Its arguments. Those of a template are --context JSON|@FILE, --store URL, --environment NAME,
    /// --time-scale FACTOR, --json, and what the task is created with, such as --idempotency-key KEY:
    /// `run TEMPLATE --help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
    #[command(flatten)]
    store: StoreAbove,
}

/// Runs a task of a template with the handlers of this program.
///
/// Tasks of the template that an earlier run left unfinished are run to their end as well. Unless
/// `--identity` or a key says what makes two tasks the same, one with the very same context is taken
/// for the task that was asked for, and none is created. With `--store memory:` nothing is kept.
///
/// Exit codes: 0 the task is complete, 1 a step failed for good, or the same task was there before,
/// 2 wrong arguments, 3 it cannot start, 130 interrupted.
#[derive(Debug, Parser)]
struct TemplateOptions {
    #[command(flatten)]
    task: new_task::TaskOptions,
    #[command(flatten)]
    store: StoreOptions,
    /// Multiplies the delays between attempts
    #[arg(long, value_parser = factor, value_name = "FACTOR")]
    time_scale: Option<f64>,
    /// Print the task as JSON instead
    #[arg(long)]
    json: bool,
}

impl TemplateOptions {
    fn parse(arguments: Vec<OsString>, program: &Program) -> Result<Self, clap::Error> {
        let name = format!("{} run TEMPLATE", program.name);
        let mut parser = Self::command().display_name(&name).bin_name(&name);
        let words = std::iter::once(OsString::from(name)).chain(arguments);
        let parsed = parser.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&parsed)
    }
}

impl Options {
    /// Whether the first word asks for the help of `run` itself.
    pub(super) fn asks_for_help(&self) -> bool {
        let asks = |path: &PathBuf| path.as_os_str() == "--help" || path.as_os_str() == "-h";
        self.path.as_ref().is_some_and(asks)
    }

    /// The words in the place of a command: a path, and what is given to it.
    pub(super) fn from_words(words: Vec<OsString>, program: &Program) -> Result<Self, String> {
        let mut words = words.into_iter();
        let path = PathBuf::from(words.next().unwrap_or_default());
        if !path.exists() && !cfg!(feature = "generate") && path.as_os_str() == "generate" {
            return Err(
                "`generate` was left out of this program: add the feature `generate` of tasker".to_owned()
            );
        }
        if !path.exists() {
            return Err(format!(
                "`{}` is neither a command (`{} --help` lists them) nor a path that exists here",
                path.display(),
                program.name
            ));
        }
        Ok(Self { path: Some(path), arguments: words.collect(), store: StoreAbove::default() })
    }

    /// The path, and the arguments of the template or program. `cargo run PATH -- ARGUMENTS` hands the dashes
    /// on.
    fn into_parts(self) -> (Option<PathBuf>, Vec<OsString>) {
        let mut arguments = self.arguments;
        let path = match self.path {
            // There is no path, and this is an option already.
            Some(option) if option.as_os_str().as_encoded_bytes().starts_with(b"-") => {
                arguments.insert(0, option.into_os_string());
                None
            }
            path => path,
        };
        if arguments.first().is_some_and(|first| first == "--") {
            arguments.remove(0);
        }
        (path, arguments)
    }
}

pub(super) async fn run(builder: Builder, mut options: Options, program: &Program) -> ExitCode {
    let store = std::mem::take(&mut options.store);
    let (path, arguments) = options.into_parts();
    // Any other path that is there is one of a project or an example.
    if let Some(path) = path.as_deref().filter(|path| path.exists() && !is_template_file(path)) {
        return match launch::Target::find(path) {
            Ok(target) => launch::launch(&target, &arguments),
            Err(message) => fail(USAGE, message),
        };
    }
    match TemplateOptions::parse(arguments, program) {
        Ok(options) => {
            let builder = store.unless(&options.store).apply(builder);
            run_template(builder, path.as_deref(), &options, program).await
        }
        Err(error) => {
            note(error.print());
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
        }
    }
}

async fn run_template(
    builder: Builder,
    path: Option<&Path>,
    options: &TemplateOptions,
    program: &Program,
) -> ExitCode {
    if let Some(path) = path.filter(|path| is_template_file(path) && !path.exists()) {
        return fail(USAGE, format!("there is no file or folder `{}`", path.display()));
    }
    let builder = options.time_scale.into_iter().fold(options.task.prepare(builder), Builder::backoff_scale);
    let chosen = match choose(builder, path, program) {
        Ok(chosen) => chosen,
        Err(code) => return code,
    };
    // What is wrong with the template is told by the builder, together with everything else.
    match (chosen.builder.build().await, chosen.template) {
        (Ok(tasker), Ok(loaded)) => {
            let template = loaded.template();
            let new_task::TaskOptions { context, creation, .. } = &options.task;
            let task = NewTask::new(&template.namespace, &template.name, context).version(&template.version);
            let requested = RequestedTask { task: creation.apply(task), another: ANOTHER };
            follow::run(&tasker, requested, Display::new(options.json), program).await
        }
        (Err(error), _) => cannot_start(&error),
        (Ok(_), Err(faults)) => fail(CANNOT_START, faults),
    }
}
