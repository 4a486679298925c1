//! Every operation of a store, under every transient error of its database, at every statement or call that
//! it makes: nothing that was acknowledged is lost, nothing runs twice beyond what at-least-once allows, and
//! nothing is stuck.
//!
//! `cargo test --test injector` runs the short form: each operation under each error, at one position. By
//! hand, all positions: `cargo test --test injector -- --whole`; with `--store sqlite`, `--operation create`
//! or `--fault stall`, a part of it. A failure prints the seed, from which the positions follow.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and tells what it does"
)]

mod check;
mod disk;
mod operations;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../processes/patience.rs"]
mod patience;
mod place;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../postgres/mod.rs"]
mod postgres;
mod table;
#[path = "../processes/twin.rs"]
mod twin;
mod wire;

use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use operations::{ALL, Operation, Trial};
use place::{Fault, Place};
use table::{Cell, Table};
use twin::must_be_found;

/// Faults that are tried at the same time, each on a schema of its own.
const AT_A_TIME: usize = 3;
/// The lease of workers on PostgreSQL, in seconds.
const LEASE: u64 = 2;
/// The position in the short form is at most this.
const FAR: usize = 4;
/// The whole form ends behind so many positions that nothing has reached.
const BEYOND: usize = 2;

const POSTGRES: [(&str, wire::Fault); 13] = [
    ("40001", wire::Fault::Error("40001")),
    ("40P01", wire::Fault::Error("40P01")),
    ("55P03", wire::Fault::Error("55P03")),
    ("57014", wire::Fault::Error("57014")),
    ("53200", wire::Fault::Error("53200")),
    ("08006", wire::Fault::Error("08006")),
    ("57P01", wire::Fault::Ended("57P01")),
    ("53300", wire::Fault::Full),
    ("25006", wire::Fault::ReadOnly),
    ("26000", wire::Fault::Forgotten),
    ("stall", wire::Fault::Stall),
    ("cut before", wire::Fault::CutBefore),
    ("cut after", wire::Fault::CutAfter),
];

/// Faults that the short form leaves out; `--fault stall` tries one. A trial under `stall` waits for answers that
/// do not come, which takes minutes in all.
const BY_HAND: [&str; 1] = ["stall"];

const SQLITE: [(&str, disk::Fault); 5] = [
    ("io", disk::Fault::Io),
    ("full", disk::Fault::Full),
    ("short write", disk::Fault::ShortWrite),
    ("sync", disk::Fault::Sync),
    ("busy", disk::Fault::Busy),
];

#[derive(Clone, Debug)]
struct Options {
    whole: bool,
    store: Option<String>,
    operation: Option<String>,
    fault: Option<String>,
    seed: u64,
    patience: Duration,
}

impl Options {
    fn read(arguments: &[String]) -> Self {
        let option = |name: &str| {
            let position = arguments.iter().position(|argument| argument == name)?;
            arguments.get(position + 1).cloned()
        };
        Self {
            whole: arguments.iter().any(|argument| argument == "--whole"),
            store: option("--store"),
            operation: option("--operation"),
            fault: option("--fault"),
            seed: option("--seed").map_or_else(|| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap()),
            patience: Duration::from_secs(
                option("--patience").map_or(30, |seconds| seconds.parse().unwrap()),
            ),
        }
    }

    fn has_store(&self, name: &str) -> bool {
        self.store.as_deref().is_none_or(|store| store == name)
    }

    fn operations(&self) -> impl Iterator<Item = (Operation, &'static str)> {
        ALL.into_iter().filter(|(_, name)| self.operation.as_deref().is_none_or(|wanted| wanted == *name))
    }

    /// The first position in the short form.
    fn position(&self, operation: &str, fault: &str) -> usize {
        let salt = operation
            .bytes()
            .chain(fault.bytes())
            .fold(7_u64, |salt, byte| salt * 31 % 65_537 + u64::from(byte));
        1 + fastrand::Rng::with_seed(self.seed ^ salt).usize(..FAR)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A name is a filter for the tests of all programs.
    if arguments.first().is_some_and(|first| !first.starts_with('-') || first == "--list") {
        return ExitCode::SUCCESS;
    }
    let options = Options::read(&arguments);
    println!("injector: seed {}", options.seed);
    let under_disk = std::env::var_os(disk::CONTROL).is_some();
    let directory = tempfile::tempdir().unwrap();
    let on_sqlite = (options.has_store("sqlite") && !under_disk).then(|| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(&arguments).args(["--store", "sqlite", "--seed", &options.seed.to_string()]);
        disk::under(&mut command, directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut held = true;
    if under_disk {
        let faults = SQLITE.map(|(name, fault)| (name, Fault::Disk(fault)));
        held &= runtime.block_on(try_all(&options, "SQLite", &faults, 1));
    } else if options.has_store("postgres") {
        let faults = POSTGRES.map(|(name, fault)| (name, Fault::Wire(fault)));
        held &= runtime.block_on(try_all(&options, "PostgreSQL", &faults, AT_A_TIME));
    }
    if let Some(child) = on_sqlite {
        let output = child.wait_with_output().unwrap();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        held &= output.status.success();
    }
    if arguments.is_empty() {
        twins();
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Faults of the product that show where the database has none.
fn twins() {
    let calm = ["--fault", "none", "--patience", "3", "--operation"];
    let on = |store, operation| [&["--store", store], &calm[..], &[operation]].concat();
    must_be_found("no-heartbeat", &on("postgres", "heartbeat"), &["attempts of a crashed"]);
    must_be_found("no-decrement", &on("sqlite", "create"), &["the task is blocked_by_failures"]);
}

/// Tries all operations under all faults. Whether everything held.
async fn try_all(options: &Options, store: &str, faults: &[(&'static str, Fault)], at_a_time: usize) -> bool {
    let begun = Instant::now();
    let names: Vec<_> = faults.iter().map(|(name, _)| *name).collect();
    let table = Arc::new(Mutex::new(Table::new(store, &names)));
    let (turns, mut columns) = (Arc::new(Semaphore::new(at_a_time)), JoinSet::new());
    let calm = [("none", None)].into_iter();
    for (name, fault) in calm.chain(faults.iter().map(|(name, fault)| (*name, Some(*fault)))) {
        let is_wanted = match &options.fault {
            Some(wanted) => wanted == name,
            None => options.whole || !BY_HAND.contains(&name),
        };
        if !is_wanted {
            continue;
        }
        let (options, table, turns) = (options.clone(), Arc::clone(&table), Arc::clone(&turns));
        columns.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            column(&options, name, fault, &table).await;
        });
    }
    columns.join_all().await;
    let table = table.lock().unwrap();
    println!("{table}{} s", begun.elapsed().as_secs());
    table.has_held()
}

/// All operations under one fault, on one store for as long as that holds.
async fn column(options: &Options, name: &'static str, fault: Option<Fault>, table: &Mutex<Table>) {
    let mut place = None;
    for (operation, operation_name) in options.operations() {
        let mut cell = Cell::default();
        let mut position = if options.whole { 1 } else { options.position(operation_name, name) };
        let mut beyond = 0;
        loop {
            let here = match place.take() {
                Some(place) => place,
                None => new_place(fault).await,
            };
            let trial = Trial {
                place: &here,
                fault,
                position,
                patience: options.patience,
                tag: format!("{operation:?} {name} {position} {:x}", fastrand::u32(..)),
                hit: Mutex::default(),
            };
            let held = trial.run(operation).await;
            let hit = trial.hit.lock().unwrap().take();
            if let Err(why) = held {
                cell.failures.push(format!("at {position}, {}: {why}", hit.unwrap_or_default()));
                // What it has left behind is no place for the next.
                drop(here);
                break;
            }
            cell.held += usize::from(hit.is_some());
            place = Some(here);
            // A fault that is not there has no positions.
            let is_last = match (fault, options.whole, hit.is_some()) {
                (None, ..) | (_, false, true) => true,
                (_, false, false) => position == 1,
                (_, true, true) => false,
                (_, true, false) => {
                    beyond += 1;
                    beyond == BEYOND
                }
            };
            if is_last {
                break;
            }
            position = if options.whole { position + 1 } else { position / 2 };
        }
        table.lock().unwrap().put(operation_name, name, cell);
    }
    let Some(place) = place else { return };
    let mut cell = Cell::default();
    match place.ask_doctor().await {
        Ok(()) => cell.held = 1,
        Err(why) => cell.failures.push(why),
    }
    table.lock().unwrap().put(table::DOCTOR, name, cell);
}

async fn new_place(fault: Option<Fault>) -> Place {
    match fault {
        Some(Fault::Wire(_)) => Place::on_postgres(LEASE).await,
        Some(Fault::Disk(_)) => Place::on_sqlite().await,
        None if std::env::var_os(disk::CONTROL).is_some() => Place::on_sqlite().await,
        None => Place::on_postgres(LEASE).await,
    }
}
