//! What cannot be printed: a disk that is full, and a reader that has gone away.

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

use crate::patience::{PATIENCE, end_of};
use crate::program::{created, greeting, program, sqlite, text};

const TEMPLATE: &str = "templates/greeting.yaml";

/// A file that takes nothing, as a full disk does.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// How the command ends. What it says to pipes fits into them.
fn outcome(command: &mut Command) -> Output {
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    end_of(&mut child, &format!("{command:?}"), PATIENCE);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn is_told(output: &Output, arguments: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    let expected = "error: standard output cannot be written: No space left on device (os error 28)\n";
    assert!(said.ends_with(expected), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn a_full_disk_under_the_output_is_an_error_of_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    let id = created(&store, TEMPLATE, r#"{"name":"Ada"}"#);
    for arguments in [
        &["graph", TEMPLATE][..],
        &["validate", TEMPLATE],
        &["diff", TEMPLATE, TEMPLATE],
        &["validate", "--json", TEMPLATE],
        &["task", "list", "--store", &store],
        &["task", "list", "--json", "--store", &store],
        &["task", "show", &id, "--store", &store],
        &["task", "timeline", &id, "--store", &store],
        &["task", "create", TEMPLATE, "--store", &store, "--context", r#"{"name":"Bob"}"#],
        &["limit", "list", "--store", &store],
        &["worker", "list", "--store", &store],
        &["migrate", "--store", &store],
        &["task", "cancel", &id, "--store", &store],
        &["--help"],
        &["--version"],
        &["task", "--help"],
        &["run", "--help"],
        &["run", TEMPLATE, "--help"],
    ] {
        let output = outcome(program().args(arguments).stdout(full()).stderr(Stdio::piped()));
        is_told(&output, arguments);
    }
    let arguments = ["run", TEMPLATE, "--store", "memory:", "--context", r#"{"id":7}"#];
    is_told(&outcome(greeting().args(arguments).stdout(full()).stderr(Stdio::piped())), &arguments);
}

#[test]
fn a_full_disk_under_the_messages_is_no_panic() {
    let log = |command: &mut Command| {
        command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(full());
    };
    for (arguments, code) in [
        (&["graph", TEMPLATE][..], 0),
        (&["graph", "no-such-file.yaml"], 1),
        (&["task", "list", "--store", "sqlite://no-such-file.db"], 2),
        (&["no-such-command"], 2),
        (&["--no-such-option"], 2),
    ] {
        let mut command = program();
        log(command.args(arguments));
        assert_eq!(outcome(&mut command).status.code(), Some(code), "{arguments:?}");
    }
    let mut command = greeting();
    log(command.args(["run", TEMPLATE, "--store", "memory:", "--context", r#"{"id":7}"#]));
    let output = outcome(&mut command);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("Ada"));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = outcome(program().args(["graph", TEMPLATE]).stdout(writer).stderr(Stdio::piped()));
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}
