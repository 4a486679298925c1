//! Cargo in the place of the crates, and `tasker` there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::patience;

/// All that a crate depends on may have to be compiled, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Has Cargo take the versions that are there, for nothing is fetched.
pub fn lock(directory: &Path) {
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
}

/// Runs `tasker` in this directory, and returns what it prints.
#[track_caller]
pub fn tasker(directory: &Path, arguments: &[&str]) -> String {
    run(Command::new(env!("CARGO_BIN_EXE_tasker")).args(arguments).current_dir(directory))
}

/// Runs Cargo, which must succeed.
#[track_caller]
pub fn cargo(directory: &Path, arguments: &[&str]) {
    cargo_text(directory, arguments);
}

/// Runs Cargo, which must succeed, and returns what it prints.
#[track_caller]
pub fn cargo_text(directory: &Path, arguments: &[&str]) -> String {
    succeeded(output(directory, arguments), arguments)
}

/// Runs a command, which must succeed, and returns what it prints.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = patience::output_within(command, PATIENCE);
    succeeded(output, command)
}

/// What Cargo answers.
#[track_caller]
pub fn output(directory: &Path, arguments: &[&str]) -> Output {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let (verb, rest) = arguments.split_first().unwrap();
    command.arg(verb).args((*verb != "fmt").then_some("--offline")).args(rest).current_dir(directory);
    // The profile of the workspace, so that what both depend on is compiled once.
    if std::env::var_os("CARGO_PROFILE_DEV_DEBUG").is_none() {
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    }
    // This program is in `target/debug/deps`.
    let own = std::env::current_exe().unwrap();
    command.env("CARGO_TARGET_DIR", own.ancestors().nth(3).unwrap());
    command.env_remove("TASKER_STORE_URL").env_remove("RUST_LOG");
    patience::output_within(&mut command, PATIENCE)
}

#[track_caller]
fn succeeded(output: Output, what: impl std::fmt::Debug) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{what:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
