//! `tasker schema`: the JSON schema of template files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tasker_runtime::Builder;

use crate::cli::output::{FAILED, cannot_start, fail, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(builder: &Builder, options: &Options) -> ExitCode {
    let schema = match builder.template_schema() {
        Ok(schema) => schema,
        Err(error) => return cannot_start(&error),
    };
    let json = match serde_json::to_string_pretty(&schema) {
        Ok(json) => json,
        Err(error) => return fail(FAILED, error),
    };
    match &options.out {
        None => print(&json),
        Some(file) => {
            if let Err(error) = std::fs::write(file, format!("{json}\n")) {
                return fail(FAILED, format!("cannot write {}: {error}", file.display()));
            }
        }
    }
    ExitCode::SUCCESS
}
