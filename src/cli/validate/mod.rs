//! `tasker validate`: all that a start would refuse, but for the store.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
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
    /// Print one JSON object: {"valid", "templates", "errors", "warnings", "diagnostics"}
    #[arg(long)]
    json: bool,
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
    let Validation { templates: count, diagnostics: all, .. } = builder.validate();
    let (errors, warnings) = (all.count(Severity::Error), all.count(Severity::Warning));
    let valid = errors == 0 && (warnings == 0 || !options.deny_warnings);
    if options.json {
        let answer = Answer { valid, templates: count, errors, warnings, diagnostics: &all };
        match serde_json::to_string_pretty(&answer) {
            Ok(json) => print(&json),
            Err(error) => return fail(FAILED, error),
        }
    } else {
        let styled = console::colors_enabled();
        for one in all.iter() {
            print(&format!("{}\n", one.render(styled)));
        }
        if let Some(rest) = all.rest() {
            print(&format!("{rest}\n"));
        }
        let plural =
            |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let verdict = if valid { "valid" } else { "invalid" };
        print(&format!(
            "{}: {}, {}: {verdict}",
            plural(count, "template"),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
    }
    if valid { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
