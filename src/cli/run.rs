//! `tasker run`: a template with the handlers of this program, or a project or example with its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};
use serde_json::Value;
use tasker_runtime::Builder;
use tasker_template::load_file;

use crate::cli::{CANNOT_START, Display, USAGE, cannot_start, factor, fail, launch, run_task};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, a Cargo project, or an example's folder or file
    path: PathBuf,
    /// Its arguments. Those of a template are --context JSON|@FILE, --store URL, --environment NAME,
    /// --time-scale FACTOR and --json: `tasker run TEMPLATE --help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs a task of a template with the handlers of this program.
///
/// Exit codes: 0 the task is complete, 1 a step failed for good, 2 wrong arguments, 3 it cannot
/// start, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "tasker run TEMPLATE")]
struct TemplateOptions {
    /// The task's context: a JSON object, or @FILE
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE")]
    context: String,
    /// Where the task is kept: sqlite://PATH or memory:
    #[arg(long, default_value = "sqlite://tasker.db", value_name = "URL")]
    store: String,
    /// Which of the template's environments applies
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Multiplies the delays between attempts
    #[arg(long, default_value_t = 1.0, value_parser = factor, value_name = "FACTOR")]
    time_scale: f64,
    /// Print the task as JSON instead
    #[arg(long)]
    json: bool,
}

impl Options {
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
    let context = match context(&options.context) {
        Ok(context) => context,
        Err(message) => return fail(USAGE, message),
    };
    // Its names; what is wrong with it is told by the builder, together with everything else.
    let names = load_file(path).map(|loaded| {
        let template = loaded.template();
        (template.namespace.clone(), template.name.clone())
    });
    let mut builder = builder.template_file(path).store_url(&options.store).backoff_scale(options.time_scale);
    if let Some(environment) = &options.environment {
        builder = builder.environment(environment);
    }
    match (builder.build().await, names) {
        (Ok(tasker), Ok((namespace, name))) => {
            run_task(&tasker, &namespace, &name, &context, Display::new(options.json)).await
        }
        (Err(error), _) => cannot_start(&error),
        (Ok(_), Err(faults)) => fail(CANNOT_START, faults),
    }
}

fn context(text: &str) -> Result<Value, String> {
    let read;
    let text = match text.strip_prefix('@') {
        Some(path) => {
            read = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            &read
        }
        None => text,
    };
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("the context is not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("the context must be a JSON object".to_owned()) }
}
