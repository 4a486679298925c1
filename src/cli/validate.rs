//! `tasker validate`: every fault of every template.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use tasker_runtime::Builder;
use tasker_template::{Diagnostics, Severity, load_file, template_files};

use crate::cli::{FAILED, USAGE, fail, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Template files, or directories of them
    #[arg(required = true)]
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

pub(super) fn run(builder: &Builder, options: &Options) -> ExitCode {
    let mut files = Vec::new();
    for path in &options.paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        match template_files(path) {
            Ok(found) if found.is_empty() => {
                return fail(USAGE, format!("{} has no .yaml or .yml file", path.display()));
            }
            Ok(found) => files.extend(found),
            Err(error) => return fail(USAGE, format!("cannot read {}: {error}", path.display())),
        }
    }
    let mut all = Diagnostics::default();
    for file in &files {
        match load_file(file) {
            Ok(loaded) => {
                all.extend(loaded.warnings().clone());
                all.extend(if builder.has_handlers() {
                    builder.check(&loaded)
                } else {
                    builder.check_schemas(&loaded)
                });
            }
            Err(diagnostics) => all.extend(diagnostics),
        }
    }
    let (errors, warnings) = (all.count(Severity::Error), all.count(Severity::Warning));
    let valid = errors == 0 && (warnings == 0 || !options.deny_warnings);
    if options.json {
        let answer = Answer { valid, templates: files.len(), errors, warnings, diagnostics: &all };
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
            plural(files.len(), "template"),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
    }
    if valid { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
