//! Worker processes, killed again and again on one file, and checked against what their handlers
//! wrote into a ledger of their own.
//!
//! `cargo test --test crash_harness` runs the short form. By hand, for as long as you like:
//! `cargo test --test crash_harness -- --rounds 1000 --seed 7`. A failure prints its seed; the
//! moments of the kills follow from it, what the processes have done by then does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and tells what it does"
)]

mod check;
mod ledger;
mod worker;

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use check::Snapshot;
use ledger::Ledger;

/// Kills on each file; then a last run ends what is left.
const ROUNDS_ON_A_FILE: usize = 12;
/// Kills in the short form.
const ROUNDS: usize = 72;
/// Places of the writer at which a process can be made to die.
const FAILPOINTS: [&str; 3] = ["begun", "applied", "committed"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "worker") {
        worker::run(Path::new(&arguments[1]), Path::new(&arguments[2]), arguments[3].parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let option = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        arguments.get(position + 1)?.parse().ok()
    };
    // A name is a filter for the tests of all programs.
    let is_asked_for =
        arguments.iter().all(|argument| argument.starts_with('-') || argument.parse::<u64>().is_ok());
    if !is_asked_for || arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let rounds = option("--rounds").map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    let seed = option("--seed").unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("crash harness: {rounds} rounds, seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut done, mut totals) = (0, check::Totals::default());
    while done < rounds {
        let on_this_file = ROUNDS_ON_A_FILE.min(rounds - done);
        totals.add(file(&mut random, on_this_file));
        done += on_this_file;
    }
    println!("{totals}");
    assert!(totals.crashed > 0, "no process died during an attempt: the kills all missed");
    ExitCode::SUCCESS
}

/// One file: workers that die, then one that ends everything, then the whole account.
fn file(random: &mut fastrand::Rng, rounds: usize) -> check::Totals {
    let directory = tempfile::tempdir().unwrap();
    let (database, ledger) = (directory.path().join("t.db"), directory.path().join("ledger"));
    let mut before: Option<Snapshot> = None;
    for round in 0..rounds {
        let workers = random.usize(1..=2);
        let mut children: Vec<Child> = (0..workers)
            .map(|_| {
                let mut command = spawn(&database, &ledger, if round < rounds / 2 { 6 } else { 0 });
                if random.bool() {
                    let place = FAILPOINTS[random.usize(..FAILPOINTS.len())];
                    command.env("TASKER_FAILPOINT", format!("{place}:{}", random.usize(1..120)));
                }
                command.spawn().unwrap()
            })
            .collect();
        // The moment of the kill is the input of this test, not something that it waits for.
        std::thread::park_timeout(Duration::from_micros(random.u64(2_000..90_000)));
        for child in &mut children {
            // One that a failpoint or a poisonous step has ended is gone already.
            let _ = child.kill();
            child.wait().unwrap();
        }
        if !database.exists() {
            continue;
        }
        // Nobody works now: what is recorded, and how often each step has begun.
        let now = Snapshot::take(&database, &Ledger::read(&ledger));
        if let Some(before) = &before {
            before.still_holds_in(&now);
        }
        before = Some(now);
    }
    // A poisonous step ends its process in each of its attempts.
    for _ in 0..64 {
        let status = spawn(&database, &ledger, 0).status().unwrap();
        if status.success() {
            let ledger = Ledger::read(&ledger);
            let end = Snapshot::take(&database, &ledger);
            before.iter().for_each(|before| before.still_holds_in(&end));
            return end.account(&ledger);
        }
    }
    panic!("a poisonous step went on for ever");
}

fn spawn(database: &Path, ledger: &Path, tasks: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("worker").arg(database).arg(ledger).arg(tasks.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
