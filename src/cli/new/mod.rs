//! `tasker new`: a crate with a template, its handlers, their tests, and the command line.

mod crate_name;
mod files;
mod manifest;
mod undo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::cli::launch::own_cargo;
use crate::cli::new::files::{CONTEXT, files, template_path};
use crate::cli::new::manifest::{Source, with_dependencies};
use crate::cli::new::undo::Undo;
use crate::cli::output::{FAILED, USAGE, fail, print};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to make the crate; the last part of the path is its name
    #[arg(value_name = "NAME")]
    directory: PathBuf,
    /// Depend on the crate `tasker` in this directory, a checkout
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "release")]
    path: Option<PathBuf>,
    /// Depend on this version of `tasker` in the registry; by default on the checkout that this program was built
    /// from, or on its version when there is none
    // Not called `version`, which every command has for the program's own.
    #[arg(id = "release", long = "version", value_name = "VERSION")]
    release: Option<String>,
}

pub(super) fn run(options: &Options, program: &Program) -> ExitCode {
    let directory = &options.directory;
    let Some(name) = directory.file_name().and_then(|name| name.to_str()) else {
        let hint = "name a new directory, as in `tasker new shop`";
        return fail(USAGE, format!("`{}` has no name that a crate could have; {hint}", directory.display()));
    };
    if let Some(fault) = crate_name::fault(name) {
        return fail(USAGE, format!("there can be no crate `{name}`: {fault}; choose another name"));
    }
    match directory.read_dir().map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return fail(USAGE, format!("{} is there already, and not empty", directory.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return fail(USAGE, format!("cannot make {}: {error}", directory.display())),
    }
    let source = match &options.path {
        Some(path) => match Source::checkout(path) {
            Ok(source) => source,
            Err(message) => return fail(USAGE, message),
        },
        None => Source::or_own(options.release.clone()),
    };
    let undo = Undo::prepare(directory);
    match make(directory, name, &source) {
        Ok(()) => {
            if let Some(workspace) = undo.changed_workspace() {
                print(&format!("Added to the workspace of {}.", workspace.display()));
            }
            print(&format!(
                "Made {}. What to do next:\n\n  cd {}\n  cargo run -- run {} --context '{CONTEXT}'\n  \
                 cargo test\n",
                directory.display(),
                directory.display(),
                template_path(name)
            ));
            if cfg!(feature = "generate") {
                print(&format!(
                    "`{} generate handlers TEMPLATE` writes the handlers of your own template.",
                    program.name
                ));
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            let what = if undo.undo() { "Nothing was made." } else { "What was made could not be removed." };
            fail(FAILED, format!("{message}\n{what}"))
        }
    }
}

/// Has Cargo make a crate, for it knows what to do in a workspace and in a repository, and fills it.
fn make(directory: &Path, name: &str, source: &Source) -> Result<(), String> {
    cargo(["init", "--quiet", "--bin", "--name", name, "--"], directory)?;
    let cannot = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
    for (path, text) in files(name) {
        let path = directory.join(path);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written.and_then(|()| std::fs::write(&path, text)).map_err(|error| cannot(&path, error))?;
    }
    let path = directory.join("Cargo.toml");
    let full = directory.canonicalize().map_err(|error| cannot(directory, error))?;
    let manifest = std::fs::read_to_string(&path).map_err(|error| cannot(&path, error))?;
    let manifest = with_dependencies(&manifest, source, &full)
        .ok_or_else(|| format!("{}, of cargo init, has no `[dependencies]`", path.display()))?;
    std::fs::write(&path, manifest).map_err(|error| cannot(&path, error))?;
    // Whether Cargo can read it, and the workspace with it.
    let read = ["metadata", "--quiet", "--offline", "--no-deps", "--format-version", "1", "--manifest-path"];
    cargo(read, &path)
}

/// Runs Cargo with these arguments and a path.
fn cargo<const N: usize>(arguments: [&str; N], path: &Path) -> Result<(), String> {
    let output = own_cargo().args(arguments).arg(path).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}; is it installed?"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("cargo {}: {}", arguments[0], String::from_utf8_lossy(&output.stderr).trim_end()))
}
