//! `tasker diff`: what changed from one template to another, and whom it breaks.

mod page;
mod stored;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use tasker_runtime::Builder;
use tasker_template::contract::{Change, TemplateVersion, diff};
use tasker_template::{LoadedTemplate, MAX_BYTES, TaskTemplate, load_str, nearest};

use crate::cli::at_store::AtStore;
use crate::cli::chosen::{choose_one, is_file_of_one};
use crate::cli::output::{FAILED, USAGE, fail, print, short, tell};
use crate::cli::program::Program;

/// Exits with 0 when no change is breaking, and with 1 when one is, or when a template has faults.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The template before: a file, `-` for standard input, the name of one of this program's templates, with
    /// @VERSION or @latest where it has several; or with --store, NAMESPACE/NAME@VERSION of a template that tasks of
    /// the store were created with
    #[arg(id = "template_before", value_name = "BEFORE")]
    before: PathBuf,
    /// The template after, named in the same ways
    #[arg(id = "template_after", value_name = "AFTER")]
    after: PathBuf,
    /// Compare the templates as they are in this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    at: AtStore,
}

/// One of the two templates.
#[derive(Debug)]
enum Side {
    Text(Box<LoadedTemplate>),
    Stored(Box<TaskTemplate>),
}

impl Side {
    fn template(&self) -> &TaskTemplate {
        match self {
            Self::Text(loaded) => loaded.template(),
            Self::Stored(template) => template,
        }
    }

    fn version(&self, environment: Option<&str>) -> Result<TemplateVersion<'_>, ExitCode> {
        let version = match self {
            Self::Text(loaded) => TemplateVersion::new(loaded),
            Self::Stored(template) => {
                TemplateVersion::snapshot(template).map_err(|error| fail(FAILED, error))?
            }
        };
        Ok(match environment {
            Some(environment) => version.in_environment(environment),
            None => version,
        })
    }

    /// What JSON says of it.
    fn described(&self) -> Described<'_> {
        let TaskTemplate { namespace, name, version, .. } = self.template();
        let file = match self {
            Self::Text(loaded) => Some(loaded.source().name()),
            Self::Stored(_) => None,
        };
        Described { file, namespace, name, version }
    }
}

#[derive(Serialize)]
struct Described<'a> {
    file: Option<&'a str>,
    namespace: &'a str,
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Answer<'a> {
    before: Described<'a>,
    after: Described<'a>,
    environment: Option<&'a str>,
    breaking: bool,
    breaks_tasks_in_flight: usize,
    breaks_callers: usize,
    changes: &'a [Change],
}

pub(super) async fn run(builder: Builder, options: Options, program: &Program) -> ExitCode {
    match compare(builder, &options, program).await {
        Ok(code) | Err(code) => code,
    }
}

async fn compare(builder: Builder, options: &Options, program: &Program) -> Result<ExitCode, ExitCode> {
    let [before, after] = sides(builder, options, program).await?;
    let environment = options.environment.as_deref();
    check_environment(environment, [&before, &after])?;
    let changes = diff(&before.version(environment)?, &after.version(environment)?);
    let count = |is: fn(&Change) -> bool| changes.iter().filter(|change| is(change)).count();
    let answer = Answer {
        before: before.described(),
        after: after.described(),
        environment,
        breaking: changes.iter().any(|change| change.breaks.is_breaking()),
        breaks_tasks_in_flight: count(|change| change.breaks.tasks_in_flight),
        breaks_callers: count(|change| change.breaks.callers),
        changes: &changes,
    };
    if options.at.json {
        print(&serde_json::to_string_pretty(&answer).expect("texts and numbers are JSON"));
    } else {
        page::print_page(&answer);
    }
    Ok(if answer.breaking { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Both templates.
async fn sides(builder: Builder, options: &Options, program: &Program) -> Result<[Side; 2], ExitCode> {
    let wanted = [&options.before, &options.after];
    if wanted.iter().all(|path| is_standard_input(path)) {
        return Err(fail(USAGE, "only one of the two can be standard input"));
    }
    let is_stored =
        |path: &Path| options.at.names_a_store() && !is_standard_input(path) && !is_file_of_one(path);
    let mut found = [None, None];
    // What is wrong with a file is told before a store is opened.
    for (side, path) in found.iter_mut().zip(wanted).filter(|(_, path)| !is_stored(path)) {
        let loaded =
            if is_standard_input(path) { standard_input() } else { choose_one(&builder, path, program) };
        *side = Some(Side::Text(Box::new(loaded?)));
    }
    if found.iter().any(Option::is_none) {
        let tasker = options.at.open(builder, program).await?;
        let environment = options.environment.as_deref();
        let mut failed = None;
        for (side, path) in found.iter_mut().zip(wanted).filter(|(side, _)| side.is_none()) {
            match stored::find(&tasker, &path.display().to_string(), environment).await {
                Ok(template) => *side = Some(Side::Stored(Box::new(template))),
                Err(code) => failed = failed.or(Some(code)),
            }
        }
        tasker.shutdown().await;
        if let Some(code) = failed {
            return Err(code);
        }
    }
    match found {
        [Some(before), Some(after)] => Ok([before, after]),
        _ => Err(fail(FAILED, "a template was not read")),
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn standard_input() -> Result<LoadedTemplate, ExitCode> {
    let mut text = String::new();
    // One byte more than is allowed is refused by whoever reads it.
    let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| fail(FAILED, format!("cannot read the template from standard input: {error}")))?;
    load_str("standard input", &text).map_err(|faults| {
        tell(&faults);
        ExitCode::from(FAILED)
    })
}

/// An environment that neither has is most likely misspelt.
fn check_environment(wanted: Option<&str>, sides: [&Side; 2]) -> Result<(), ExitCode> {
    let Some(wanted) = wanted else { return Ok(()) };
    let of =
        |side: &Side| side.template().environments.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let mut known = sides.map(of).concat();
    if known.iter().any(|name| name == wanted) {
        return Ok(());
    }
    known.sort();
    known.dedup();
    let hint = match nearest(wanted, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are: {}", known.join(", ")),
    };
    Err(fail(USAGE, format!("neither template has the environment `{wanted}`{hint}")))
}

/// The path as it is shown.
fn shown(file: &str) -> String {
    short(Path::new(file)).display().to_string()
}
