//! `tasker generate template`: a template from the handlers of the program.

use std::process::ExitCode;

use clap::Args;
use tasker_runtime::Builder;
use tasker_template::{load_str, namespace_of};

use crate::cli::generate::Destination;
use crate::cli::generate::yaml::{Heading, template};
use crate::cli::output::{FAILED, USAGE, fail, tell};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Functions or callables of the handlers to take, with those whose results they read; all of this program
    /// when none is named
    #[arg(value_name = "HANDLER")]
    handlers: Vec<String>,
    /// The template's name; by default that of this program
    #[arg(long)]
    name: Option<String>,
    /// The template's namespace; by default its name with the letters that a namespace can have
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    destination: Destination,
}

pub(super) fn run(builder: &Builder, options: &Options, program: &Program) -> ExitCode {
    let handlers = builder.handlers();
    if handlers.is_empty() {
        let hint = "mount the command line in the program that has them: `tasker::cli::main`";
        return fail(USAGE, format!("{} has no handlers; {hint}", program.name));
    }
    let name = options.name.clone().unwrap_or_else(|| program.name.clone());
    let namespace = options.namespace.clone().unwrap_or_else(|| namespace_of(&name));
    let heading = Heading { name: &name, namespace: &namespace };
    let yaml = match template(&heading, &handlers, &options.handlers) {
        Ok(yaml) => yaml,
        Err(error) => return fail(if error.is_usage() { USAGE } else { FAILED }, error),
    };
    // What a start would refuse is told here, and nothing is written.
    let loaded = match load_str("the template", &yaml) {
        Ok(loaded) => loaded,
        Err(faults) => {
            tell(&faults);
            return ExitCode::from(FAILED);
        }
    };
    let faults = builder.check(&loaded);
    tell(&faults);
    if faults.has_errors() {
        return ExitCode::from(FAILED);
    }
    options.destination.write(&yaml)
}
