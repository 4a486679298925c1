//! `tasker validate`: all that a start would refuse, but for the store.

mod github;
mod path;
mod sarif;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tasker_runtime::Builder;
use tasker_runtime::error::Validation;
use tasker_template::{Diagnostics, Severity, template_files};

use crate::cli::chosen::with_templates;
use crate::cli::output::{FAILED, USAGE, fail, print};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Template files, or directories of them; without any, the program's own templates
    paths: Vec<PathBuf>,
    /// Count warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// How the faults are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Each fault with its line, then a summary
    Human,
    /// One object: {"valid", "templates", "errors", "warnings", "diagnostics"}
    Json,
    /// Workflow commands of GitHub Actions, which annotate the lines of a pull request
    Github,
    /// A SARIF 2.1.0 log, for code scanning and editors
    Sarif,
}

#[derive(Serialize)]
struct Answer<'a> {
    valid: bool,
    templates: usize,
    errors: usize,
    warnings: usize,
    diagnostics: &'a Diagnostics,
}

pub(super) fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    for path in options.paths.iter().filter(|path| path.is_dir()) {
        match template_files(path) {
            Ok(found) if found.is_empty() => {
                return fail(USAGE, format!("{} has no .yaml or .yml file", path.display()));
            }
            Ok(_) => {}
            Err(error) => return fail(USAGE, format!("cannot read {}: {error}", path.display())),
        }
    }
    let builder = if options.paths.is_empty() {
        builder
    } else {
        with_templates(builder.set_templates_aside(), &options.paths)
    };
    if !builder.has_templates() {
        let name = &program.name;
        return fail(
            USAGE,
            format!("{name} has no templates of its own: name some, `{name} validate <PATHS>...`"),
        );
    }
    // Without handlers it is not this program that runs the templates.
    let builder = if builder.has_handlers() { builder } else { builder.without_worker() };
    let Validation { templates, diagnostics: all, .. } = builder.validate();
    let (errors, warnings) = (all.count(Severity::Error), all.count(Severity::Warning));
    let valid = errors == 0 && (warnings == 0 || !options.deny_warnings);
    let answer = Answer { valid, templates, errors, warnings, diagnostics: &all };
    let format = if options.json { Format::Json } else { options.format };
    match format {
        Format::Human => human(&answer, program),
        Format::Json => print_pretty(&answer),
        Format::Github => github::commands(&all).for_each(|command| print(&command)),
        Format::Sarif => print_pretty(&sarif::log(&all)),
    }
    if valid { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn print_pretty(value: &impl Serialize) {
    print(&serde_json::to_string_pretty(value).expect("texts and numbers are JSON"));
}

/// Prints each fault with its line, and then how many there are.
fn human(answer: &Answer<'_>, program: &Program) {
    let styled = console::colors_enabled();
    for one in answer.diagnostics.iter() {
        print(&format!("{}\n", one.render(styled)));
    }
    if let Some(rest) = answer.diagnostics.rest() {
        print(&format!("{rest}\n"));
    }
    if let Some(first) = answer.diagnostics.iter().next() {
        print(&format!("more about a fault: `{} explain {}`\n", program.name, first.code.number()));
    }
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let verdict = if answer.valid { "valid" } else { "invalid" };
    print(&format!(
        "{}: {}, {}: {verdict}",
        plural(answer.templates, "template"),
        plural(answer.errors, "error"),
        plural(answer.warnings, "warning")
    ));
}
