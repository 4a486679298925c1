//! `tasker generate handlers`: a module of handlers from a template.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tasker_runtime::Builder;

use crate::cli::chosen::{Chosen, choose};
use crate::cli::generate::Destination;
use crate::cli::generate::format::formatted;
use crate::cli::generate::module::module;
use crate::cli::output::{FAILED, say, tell};
use crate::cli::paths::relative;
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, or the name of one of this program's templates, with @VERSION or @latest where it has
    /// several; may be left out when it has only one template
    // Not `template`, which an application may call a global option of its own.
    #[arg(id = "wanted_template", value_name = "TEMPLATE")]
    template: Option<PathBuf>,
    #[command(flatten)]
    destination: Destination,
}

pub(super) fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    let chosen = choose(builder, options.template.as_deref(), program).and_then(Chosen::faultless);
    let (builder, loaded) = match chosen {
        Ok(chosen) => chosen,
        Err(code) => return code,
    };
    tell(loaded.warnings());
    let faults = builder.check_schemas(&loaded);
    tell(&faults);
    if faults.has_errors() {
        return ExitCode::from(FAILED);
    }
    let path = from_package(Path::new(loaded.source().name()), options.destination.out.as_deref());
    let module = module(loaded.template(), &path);
    for note in &module.notes {
        say(&format!("note: {note}"));
    }
    let code = options.destination.write(&formatted(module.code));
    if let Some(out) = options.destination.out.as_ref().filter(|_| code == ExitCode::SUCCESS) {
        let module = out.file_stem().unwrap_or_default().display();
        say(&format!(
            "Declare it with `mod {module};`. It needs the crates tasker (for its test with the feature `testing`), \
             serde with `derive`, and serde_json."
        ));
    }
    code
}

/// The path of the template from the directory of the package that the module belongs to, in which its tests
/// will run.
fn from_package(template: &Path, out: Option<&Path>) -> String {
    let shown = || template.display().to_string();
    // The text of a template may have a name that is no path.
    let Ok(template) = template.canonicalize() else { return shown() };
    let directory = match out.map(|out| out.parent().unwrap_or(out)) {
        Some(parent) if parent != Path::new("") => parent.canonicalize(),
        _ => std::env::current_dir().and_then(|here| here.canonicalize()),
    };
    let Ok(directory) = directory else { return shown() };
    let package = directory.ancestors().find(|one| one.join("Cargo.toml").is_file()).unwrap_or(&directory);
    relative(&template, package).display().to_string()
}
