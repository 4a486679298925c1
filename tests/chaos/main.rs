//! Workers, a network and a PostgreSQL that fail at random and together, and afterwards: all that was
//! acknowledged has ended, and the record is what the handlers wrote down themselves.
//!
//! `cargo test --test chaos` runs the short form. By hand, for as long as you like:
//! `cargo test --test chaos -- --seconds 600 --seed 7`. The faults and their moments follow from the
//! seed, what the processes have done by then does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and tells what it does"
)]

#[allow(dead_code, reason = "others use the rest")]
#[path = "../processes/patience.rs"]
mod patience;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../postgres/mod.rs"]
mod postgres;
mod process;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../processes/mod.rs"]
mod processes;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tasker_runtime::{TaskFilter, TaskState, Tasker};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use patience::{PATIENCE, end_of};
use postgres::cluster::Cluster;
use postgres::proxy::{Mode, Proxy};
use processes::check::Snapshot;
use processes::ledger::Ledger;
use processes::twin::must_be_found;

const WORKERS: usize = 4;
/// How long the short form kills workers and breaks connections, in seconds.
const SECONDS: u64 = 10;
/// How long what is left may take when all is well again.
const REST: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("worker") => process::work(&arguments[1], Path::new(&arguments[2])),
        Some("creator") => process::create(&arguments[1], Path::new(&arguments[2])),
        // A name is a filter for the tests of all programs.
        Some(first) if !first.starts_with('-') || first == "--list" => {}
        _ => {
            let number = |name: &str| {
                let position = arguments.iter().position(|argument| argument == name)?;
                arguments.get(position + 1)?.parse().ok()
            };
            let seed = number("--seed").unwrap_or_else(|| fastrand::u64(..1 << 32));
            let rest = number("--rest").map_or(REST, Duration::from_secs);
            run(seed, Duration::from_secs(number("--seconds").unwrap_or(SECONDS)), rest);
            if arguments.is_empty() {
                let found =
                    ["no record of", "a task does not end", "DoctorReport", "tests/processes/check.rs"];
                must_be_found("skipped-row", &["--seconds", "3", "--rest", "6"], &found);
            }
        }
    }
    ExitCode::SUCCESS
}

fn run(seed: u64, duration: Duration, rest: Duration) {
    println!("chaos: {} s, seed {seed}", duration.as_secs());
    let begun = Instant::now();
    let mut scene = Scene::set();
    scene.make_trouble(fastrand::Rng::with_seed(seed), duration);
    scene.let_it_end(rest);
    let counts: Vec<String> = scene.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!("{}", counts.join(", "));
    scene.check();
    println!("{} s", begun.elapsed().as_secs());
}

/// All that takes part.
struct Scene {
    /// First, so that nothing runs any more when the rest goes.
    workers: Vec<Worker>,
    creator: Worker,
    proxy: Proxy,
    runtime: Runtime,
    cluster: Cluster,
    /// When the network is well again.
    network: Option<Instant>,
    counts: BTreeMap<&'static str, usize>,
    directory: Directory,
}

impl Scene {
    fn set() -> Self {
        let cluster = Cluster::start();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let proxy = runtime.block_on(Proxy::start(cluster.address()));
        let directory = Directory(Some(tempfile::tempdir().unwrap()));
        let url = format!("postgres://postgres@{}/postgres?lease=1&connections=5", proxy.address());
        let creator = Worker::spawn("creator", &url, &directory);
        let workers = (0..WORKERS).map(|_| Worker::spawn("worker", &url, &directory)).collect();
        let (network, counts) = (None, BTreeMap::new());
        Self { workers, creator, proxy, runtime, cluster, network, counts, directory }
    }

    fn make_trouble(&mut self, mut random: fastrand::Rng, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(random.u64(50..600)));
            self.mend(false);
            // As many numbers for each fault, so that the next ones are the same.
            let (kind, worker) = (random.u8(..100), random.usize(..WORKERS));
            let (long, is_even) = (Duration::from_millis(random.u64(200..1_500)), random.bool());
            let worker = &mut self.workers[worker];
            let what = match kind {
                0..40 => {
                    worker.kill();
                    worker.start();
                    "kills"
                }
                40..60 => {
                    // For longer than its lease.
                    worker.stop(Instant::now() + Duration::from_secs(1) + long);
                    "stopped workers"
                }
                60..77 => {
                    self.proxy.sever();
                    "severed networks"
                }
                77..92 => {
                    self.proxy.set(if is_even { Mode::Refuse } else { Mode::Stall });
                    self.network = Some(Instant::now() + long);
                    if is_even {
                        self.proxy.sever();
                        "networks that refused"
                    } else {
                        "networks that stalled"
                    }
                }
                _ => {
                    self.cluster.restart(is_even);
                    if is_even { "restarts of PostgreSQL" } else { "crashes of PostgreSQL" }
                }
            };
            *self.counts.entry(what).or_default() += 1;
        }
    }

    /// Ends the faults whose time is over, or all.
    fn mend(&mut self, all: bool) {
        let now = Instant::now();
        let is_over = |end: &mut Instant| all || *end <= now;
        if self.network.take_if(is_over).is_some() {
            self.proxy.set(Mode::Forward);
        }
        for worker in &mut self.workers {
            if worker.stopped.take_if(is_over).is_some() {
                worker.signal("CONT");
            }
        }
    }

    /// All is well again: nobody creates anything, and what is left ends.
    fn let_it_end(&mut self, rest: Duration) {
        self.mend(true);
        self.creator.end();
        let url = self.url();
        self.runtime.block_on(async {
            let builder = Tasker::builder().only_listed_handlers().without_worker().store_url(url);
            let onlooker = builder.build().await.unwrap();
            let begun = Instant::now();
            loop {
                let states = vec![TaskState::InProgress];
                let filter = TaskFilter::new().states(states).limit(5);
                let left = onlooker.list(filter).await.unwrap();
                let Some(one) = left.first() else { return };
                if begun.elapsed() > rest {
                    panic!("a task does not end: {:#?}", onlooker.get_task(one.id).await.unwrap());
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        self.workers.iter_mut().for_each(Worker::kill);
    }

    fn check(&self) {
        let log = std::fs::read_to_string(self.directory.log()).unwrap();
        let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked at")).collect();
        assert!(panics.is_empty(), "{panics:#?}");
        let ledger = Ledger::read(&self.directory.ledger());
        let totals = Snapshot::take(&self.url(), &ledger).account(&ledger);
        println!("{totals}");
        assert!(totals.acknowledged > 0, "no task was acknowledged");
        assert!(totals.crashed > 0, "no worker died during an attempt: the faults all missed");
    }

    /// The store, past the network.
    fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.cluster.address())
    }
}

/// A process, started again and again.
struct Worker {
    command: Command,
    child: Child,
    /// When it goes on.
    stopped: Option<Instant>,
}

impl Worker {
    fn spawn(kind: &str, url: &str, directory: &Directory) -> Self {
        let log = OpenOptions::new().append(true).create(true).open(directory.log()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(kind).arg(url).arg(directory.ledger());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        Self { command, child, stopped: None }
    }

    fn start(&mut self) {
        self.child = self.command.spawn().unwrap();
    }

    fn kill(&mut self) {
        self.stopped = None;
        let _ = self.child.kill();
        end_of(&mut self.child, "a process that was killed", PATIENCE);
    }

    fn stop(&mut self, until: Instant) {
        self.signal("STOP");
        self.stopped = Some(until);
    }

    /// Lets it end by itself.
    fn end(&mut self) {
        drop(self.child.stdin.take());
        end_of(&mut self.child, "a process whose input has ended", PATIENCE);
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(&command).status().unwrap().success(), "{command}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ledger and the log; kept when the test fails.
struct Directory(Option<TempDir>);

impl Directory {
    fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }

    fn ledger(&self) -> PathBuf {
        self.path().join("ledger")
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("ledger and log are in {}", self.0.take().unwrap().keep().display());
        }
    }
}
