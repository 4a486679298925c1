//! Worker processes, killed again and again on one store, and checked against what their handlers
//! wrote into a ledger of their own.
//!
//! `cargo test --test crash_harness` runs the short form, on SQLite and on PostgreSQL. By hand, for as
//! long as you like: `cargo test --test crash_harness -- --store postgres --rounds 1000 --seed 7`. One of
//! the three parts alone: `--part exact`, `--part kills` or `--part twins`. A
//! failure prints its seed; the moments of the kills follow from it, what the processes have done by
//! then does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and tells what it does"
)]

mod exact;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../processes/patience.rs"]
mod patience;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../postgres/mod.rs"]
mod postgres;
#[path = "../processes/mod.rs"]
mod processes;
mod worker;

use std::io::BufRead as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use patience::{PATIENCE, end_of};
use postgres::Schema;
use processes::check::{Snapshot, Totals};
use processes::ledger::Ledger;
use processes::twin::must_be_found;

/// Kills on each file or schema; then a last run ends what is left.
const ROUNDS_ON_A_PLACE: usize = 12;
/// How long what is left may take when nobody is killed any more.
const REST: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("worker") => {
            worker::run(&arguments[1], Path::new(&arguments[2]), arguments[3].parse().unwrap());
            return ExitCode::SUCCESS;
        }
        Some("diamond") => {
            worker::run_diamond(&arguments[1], Path::new(&arguments[2]), &arguments[3]);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let option = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        arguments.get(position + 1)
    };
    let number = |name: &str| option(name).map(|number| number.parse::<u64>().unwrap());
    // A name is a filter for the tests of all programs.
    if arguments.iter().any(|argument| argument == "--list")
        || arguments.first().is_some_and(|first| !first.starts_with('-'))
    {
        return ExitCode::SUCCESS;
    }
    let seed = number("--seed").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let part = |name: &str| option("--part").is_none_or(|wanted| wanted == name);
    for store in [Store::Sqlite, Store::Postgres] {
        if option("--store").is_none_or(|wanted| wanted == store.name()) {
            let rounds = number("--rounds").map_or(store.rounds(), |rounds| usize::try_from(rounds).unwrap());
            if part("exact") {
                exact::run(store);
            }
            if part("kills") {
                harass(store, rounds, seed);
            }
        }
    }
    if part("twins") && option("--store").is_none() && number("--rounds").is_none() {
        twins();
    }
    ExitCode::SUCCESS
}

/// A writer that answers before its commit.
fn twins() {
    let found = ["is lost", "began before the commit of", "one step at a time"];
    must_be_found("early-answer", &["--store", "sqlite", "--part", "exact"], &found);
    let found = ["is lost", "no record of", "has run 2 times", "has begun again", "DoctorReport"];
    must_be_found("early-answer", &["--store", "sqlite", "--part", "kills"], &found);
}

fn harass(store: Store, rounds: usize, seed: u64) {
    println!("crash harness on {}: {rounds} rounds, seed {seed}", store.name());
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut done, mut totals) = (0, Totals::default());
    while done < rounds {
        let on_this_place = ROUNDS_ON_A_PLACE.min(rounds - done);
        totals.add(place(store, &mut random, on_this_place));
        done += on_this_place;
    }
    println!("{totals}; {} s", begun.elapsed().as_secs());
    assert!(totals.acknowledged > 0, "no task was acknowledged");
    assert!(totals.crashed > 0, "no process died during an attempt: the kills all missed");
}

#[derive(Clone, Copy)]
enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Kills in the short form.
    fn rounds(self) -> usize {
        match self {
            Self::Sqlite => 72,
            Self::Postgres => 24,
        }
    }

    /// Places of the writer at which a process can be made to die.
    fn failpoints(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["begun", "applied", "committed"],
            Self::Postgres => &["unsent", "unanswered"],
        }
    }

    /// The places right before and right after a commit.
    fn around_commit(self) -> [&'static str; 2] {
        match self {
            Self::Sqlite => ["applied", "committed"],
            Self::Postgres => ["unsent", "unanswered"],
        }
    }

    /// How long a process lives, in microseconds. Over a lease now and then, so that work is taken over.
    fn life(self, round: usize) -> Range<u64> {
        match self {
            Self::Sqlite => 2_000..90_000,
            Self::Postgres if round % 4 == 3 => 1_200_000..1_600_000,
            Self::Postgres => 20_000..300_000,
        }
    }
}

/// A file or a schema, with nothing in it.
enum Place {
    File(PathBuf),
    Schema(Schema),
}

impl Place {
    fn new(store: Store, directory: &Path) -> Self {
        match store {
            Store::Sqlite => Self::File(directory.join("t.db")),
            Store::Postgres => Self::Schema(Schema::new()),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite://{}", path.display()),
            Self::Schema(schema) => schema.url_with("lease=1"),
        }
    }

    /// Whether a process has lived for long enough to begin anything.
    fn is_there(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
            Self::Schema(_) => true,
        }
    }
}

/// One place: workers that die, then one that ends everything, then the whole account.
fn place(store: Store, random: &mut fastrand::Rng, rounds: usize) -> Totals {
    let directory = tempfile::tempdir().unwrap();
    let (place, ledger) = (Place::new(store, directory.path()), directory.path().join("ledger"));
    let url = place.url();
    let mut before: Option<Snapshot> = None;
    for round in 0..rounds {
        let workers = random.usize(1..=2);
        let mut children: Vec<Child> = (0..workers)
            .map(|_| {
                let mut command = spawn("worker", &url, &ledger, if round < rounds / 2 { "6" } else { "0" });
                if random.bool() {
                    let name = store.failpoints()[random.usize(..store.failpoints().len())];
                    command.env("TASKER_FAILPOINT", format!("{name}:{}", random.usize(1..120)));
                }
                command.spawn().unwrap()
            })
            .collect();
        // Half of them are killed while they start.
        if random.bool() {
            children.iter_mut().for_each(wait_until_up);
        }
        // The moment of the kill is the input of this test, not something that it waits for.
        std::thread::park_timeout(Duration::from_micros(random.u64(store.life(round))));
        for child in &mut children {
            // One that a failpoint or a poisonous step has ended is gone already.
            let _ = child.kill();
            end_of(child, "a worker that was killed", PATIENCE);
        }
        if !place.is_there() {
            continue;
        }
        // Nobody works now: what is recorded, and how often each step has begun.
        let now = Snapshot::take(&url, &Ledger::read(&ledger));
        if let Some(before) = &before {
            before.still_holds_in(&now);
        }
        before = Some(now);
    }
    // A poisonous step ends its process in each of its attempts.
    for _ in 0..64 {
        let mut last = spawn("worker", &url, &ledger, "0").stdout(Stdio::null()).spawn().unwrap();
        let status = end_of(&mut last, "the run that ends what is left", REST);
        if status.success() {
            let ledger = Ledger::read(&ledger);
            let end = Snapshot::take(&url, &ledger);
            before.iter().for_each(|before| before.still_holds_in(&end));
            return end.account(&ledger);
        }
    }
    panic!("a poisonous step went on for ever");
}

/// Until the process works, or has died before that.
fn wait_until_up(child: &mut Child) {
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let (tell, up) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = output.read_line(&mut String::new());
        let _ = tell.send(());
        // What it says further is read, so that it can be said.
        let _ = std::io::copy(&mut output, &mut std::io::sink());
    });
    up.recv_timeout(PATIENCE).expect("a worker neither works nor dies");
}

fn spawn(kind: &str, url: &str, ledger: &Path, how: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(kind).arg(url).arg(ledger).arg(how);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
