//! `tasker run`: a template with the handlers of this program, or a project or example with its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};
use tasker_runtime::Builder;
use tasker_template::load_file;

use crate::cli::follow::{self, Wanted};
use crate::cli::{CANNOT_START, Display, USAGE, cannot_start, factor, fail, launch, new_task};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, a Cargo project, or an example's folder or file
    #[arg(allow_hyphen_values = true)]
    path: PathBuf,
    /// Its arguments. Those of a template are --context JSON|@FILE, --store URL, --environment NAME,
    /// --time-scale FACTOR, --json, and what the task is created with, such as --idempotency-key KEY:
    /// `tasker run TEMPLATE --help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs a task of a template with the handlers of this program.
///
/// Tasks of the template that an earlier run left unfinished are run to their end as well. Unless
/// `--identity` or a key says what makes two tasks the same, one with the very same context is taken
/// for the task that was asked for, and none is created.
///
/// Exit codes: 0 the task is complete, 1 a step failed for good, or the same task was there before,
/// 2 wrong arguments, 3 it cannot start, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "tasker run TEMPLATE")]
struct TemplateOptions {
    #[command(flatten)]
    task: new_task::TaskOptions,
    /// Where the task is kept: sqlite://PATH, postgres://USER@HOST/DATABASE or memory:
    #[arg(long, default_value = "sqlite://tasker.db", value_name = "URL")]
    store: String,
    /// Multiplies the delays between attempts
    #[arg(long, default_value_t = 1.0, value_parser = factor, value_name = "FACTOR")]
    time_scale: f64,
    /// Print the task as JSON instead
    #[arg(long)]
    json: bool,
}

impl Options {
    /// `tasker run --help`.
    pub(super) fn asks_for_help(&self) -> bool {
        ["--help", "-h"].iter().any(|help| self.path.as_os_str() == *help)
    }

    /// `tasker PATH …`: words that are no command.
    pub(super) fn from_words(words: Vec<OsString>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let path = PathBuf::from(words.next().unwrap_or_default());
        if !path.exists() {
            return Err(format!(
                "`{}` is neither a command (`tasker --help` lists them) nor a path that exists here",
                path.display()
            ));
        }
        Ok(Self { path, arguments: words.collect() })
    }

    /// What the template or program is given. `cargo run PATH -- ARGUMENTS` hands the dashes on.
    fn into_arguments(self) -> Vec<OsString> {
        let mut arguments = self.arguments;
        if arguments.first().is_some_and(|first| first == "--") {
            arguments.remove(0);
        }
        arguments
    }
}

pub(super) async fn run(builder: Builder, options: Options) -> ExitCode {
    let path = &options.path;
    if !path.exists() {
        return fail(USAGE, format!("there is no file or folder `{}`", path.display()));
    }
    let is_template = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_template {
        let program = OsString::from("tasker run TEMPLATE");
        let path = options.path.clone();
        let words = std::iter::once(program).chain(options.into_arguments());
        return match TemplateOptions::try_parse_from(words) {
            Ok(template_options) => run_template(builder, &path, &template_options).await,
            Err(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
            }
        };
    }
    match launch::Target::find(path) {
        Ok(target) => launch::launch(&target, &options.into_arguments()),
        Err(message) => fail(USAGE, message),
    }
}

async fn run_template(builder: Builder, path: &Path, options: &TemplateOptions) -> ExitCode {
    // Its names; what is wrong with it is told by the builder, together with everything else.
    let names = load_file(path).map(|loaded| {
        let template = loaded.template();
        (template.namespace.clone(), template.name.clone())
    });
    let builder = builder.store_url(&options.store).backoff_scale(options.time_scale);
    let builder = options.task.prepare(builder, path);
    match (builder.build().await, names) {
        (Ok(tasker), Ok((namespace, name))) => {
            let new_task::TaskOptions { context, creation, .. } = &options.task;
            let wanted = Wanted { namespace: &namespace, name: &name, context, creation };
            follow::run(&tasker, &wanted, Display::new(options.json)).await
        }
        (Err(error), _) => cannot_start(&error),
        (Ok(_), Err(faults)) => fail(CANNOT_START, faults),
    }
}
