//! Broken twins: this program once more, with a deliberate fault in the product (`tasker_store::twin`). A
//! harness that does not find it would not find a real one either.

use std::process::Command;

use crate::patience::output_of;

/// Runs this program with the fault `twin`; it must fail, and say what it has found in one of these words.
#[allow(clippy::print_stdout, reason = "it tells what the harness has found")]
pub fn must_be_found(twin: &str, arguments: &[&str], found: &[&str]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // A failure is found once, and not made smaller.
    command.args(arguments).env("TASKER_BROKEN_TWIN", twin).env("PROPTEST_MAX_SHRINK_ITERS", "0");
    let output = output_of(command.env("RUST_BACKTRACE", "0"));
    let [said, told] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(!output.status.success(), "the broken twin `{twin}` was not found: {said}{told}");
    let is_found = |line: &&str| found.iter().any(|words| line.contains(words));
    let line = said.lines().chain(told.lines()).find(is_found);
    let line = line.unwrap_or_else(|| panic!("the broken twin `{twin}` failed otherwise: {said}{told}"));
    let line: String = line.chars().take(160).collect();
    println!("broken twin `{twin}`: found, {line}");
}
