//! The programs that a person runs: the command line, and the example.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::patience::output_of;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `tasker` with these arguments, in the root of the repository.
pub fn tasker<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    output_of(program().args(arguments))
}

/// The program `tasker`, in the root of the repository.
pub fn program() -> Command {
    command(Path::new(env!("CARGO_BIN_EXE_tasker")))
}

/// The program of the user-registration example.
pub fn example() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    command(PROGRAM.get_or_init(|| build("user_registration")))
}

/// The command line with the handlers of `templates/greeting.yaml` linked in.
pub fn greeting() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    command(PROGRAM.get_or_init(|| build("greeting")))
}

/// The application with a store, templates and a command of its own.
pub fn shop() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    command(PROGRAM.get_or_init(|| build("shop")))
}

/// An example's program: `cargo test` builds it only when all targets are tested.
fn build(example: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--example", example])
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success());
    // This test's program is in `deps`, beside `examples`.
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples").join(example)
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("TASKER_STORE_URL");
    command
}

#[track_caller]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one JSON object that a program has printed.
#[track_caller]
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// The URL of a file in this directory.
pub fn sqlite(directory: &tempfile::TempDir) -> String {
    format!("sqlite://{}", directory.path().join("t.db").display())
}

/// The id of a task that the command line has created.
#[track_caller]
pub fn created(store: &str, template: &str, context: &str) -> String {
    let output = tasker(["task", "create", template, "--store", store, "--context", context]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

/// What `tasker migrate` prints as JSON.
#[track_caller]
pub fn migrated(store: &str, more: &[&str]) -> Value {
    let output = tasker([&["migrate", "--store", store, "--json"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    json(&output)
}
