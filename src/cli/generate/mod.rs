//! `tasker generate`: code from a template, and a template from code.

mod format;
mod from_handlers;
mod from_template;
mod module;
mod names;
mod outline;
mod reduced;
mod sample;
mod types;
mod yaml;

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tasker_runtime::Builder;

use crate::cli::output::{FAILED, USAGE, fail, print};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a module with a typed stub for each handler that a template asks for, and a test of the template
    ///
    /// The types are made of the template's `input_schema` and of each step's `result_schema`. The module needs
    /// the crates `tasker` (for its test with the feature `testing`), `serde` with `derive`, and `serde_json`.
    Handlers(from_template::Options),
    /// Write a template with a step for each handler of this program
    Template(from_handlers::Options),
}

/// Where to write.
#[derive(Debug, Args)]
struct Destination {
    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    match &options.what {
        What::Handlers(options) => from_template::run(builder, options, program),
        What::Template(options) => from_handlers::run(&builder, options, program),
    }
}

impl Destination {
    /// Writes the whole text, or nothing.
    fn write(&self, text: &str) -> ExitCode {
        let Some(path) = &self.out else {
            print(text.trim_end());
            return ExitCode::SUCCESS;
        };
        match create(path, text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let hint = "remove it, or name another file with `--out`";
                fail(USAGE, format!("{} is there already: {hint}", path.display()))
            }
            Err(error) => fail(FAILED, format!("cannot write {}: {error}", path.display())),
        }
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(path);
    }
    written
}
