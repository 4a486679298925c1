//! What `workflow!` costs a build: its expansion alone, and what it adds to `cargo check`.
//!
//! It writes crates that have the same handlers, one with `workflow!` and one without, and has Cargo check them in
//! turn. Nothing is downloaded: the crates are built with this workspace's lock file, in a target directory of their
//! own, which is kept.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a program that measures and prints"
)]

mod build;
mod expansion;
mod figures;
mod steps;
mod written;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::build::{Build, Settings};
use crate::figures::Figures;
use crate::written::Written;

#[derive(Debug, Parser)]
struct Options {
    /// The sizes of the workflows
    #[arg(long, value_delimiter = ',', default_values_t = [5, 50, 500])]
    steps: Vec<usize>,
    /// In how many modules the handlers are
    #[arg(long, default_value_t = 10)]
    modules: usize,
    /// How often each pair of builds, and each expansion, is measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The largest workflow that is run as well, to see that what was compiled works
    #[arg(long, default_value_t = 50)]
    run_up_to: usize,
    /// Measure the expansion alone
    #[arg(long)]
    expansion_only: bool,
    /// Where the crates are written and built
    #[arg(long, default_value = "target/compile-cost")]
    directory: PathBuf,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    fs::create_dir_all(&options.directory).unwrap();
    let directory = options.directory.canonicalize().unwrap();
    let written: Vec<Written> = options
        .steps
        .iter()
        .map(|steps| written::write(&directory.join(steps.to_string()), *steps, options.modules))
        .collect();
    print_machine();
    let target = directory.join("target");
    for written in &written {
        let yaml = fs::read_to_string(written.template()).unwrap();
        println!(
            "{} steps: {} lines of YAML, {} lines of Rust in {} modules",
            written.steps,
            yaml.lines().count(),
            written.lines,
            written.modules
        );
    }

    println!("\nOne expansion, in a compiler of its own each time, ms: min / median / max\n");
    println!("| macros compiled with | steps | first call | the template read once more | called again |");
    println!("| --- | --- | --- | --- | --- |");
    for settings in Settings::ALL {
        for written in &written {
            let build = Build { directory: &written.directory, target: &target, settings };
            let times = expansion::measure(&build, options.rounds);
            println!(
                "| {} | {} | {} | {} | {} |",
                settings.name(),
                written.steps,
                times.first,
                times.reading,
                times.again
            );
        }
    }
    if options.expansion_only {
        return;
    }
    for written in written.iter().filter(|written| written.steps <= options.run_up_to) {
        run(written, &target);
    }

    println!(
        "\n`cargo check` of the crate with the workflow, {} pairs, s: min / median / max\n",
        options.rounds
    );
    println!(
        "| macros compiled with | steps | what is checked | with `workflow!` | without \
         | added, median of the pairs | added processor time |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for settings in [Settings::Dev, Settings::Advised] {
        for written in &written {
            for incremental in [true, false] {
                let build = Build { directory: &written.directory, target: &target, settings };
                compare(&build, written, incremental, options.rounds);
            }
        }
    }
}

/// Checks both crates in turn, and prints a line of the table.
fn compare(build: &Build<'_>, written: &Written, incremental: bool, rounds: usize) {
    let check = |with: bool, round: usize| {
        let package = if with { "with" } else { "without" };
        written.edit(package, round);
        build.check(package, incremental)
    };
    // What both depend on, and what the compiler keeps of the crates.
    for round in 0..2 {
        check(true, round);
        check(false, round);
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // The first of a pair is each of the two in turn.
        if round % 2 == 0 {
            with.push(check(true, round));
            without.push(check(false, round));
        } else {
            without.push(check(false, round));
            with.push(check(true, round));
        }
    }
    let added = Figures::of(with.iter().zip(&without).map(|(with, without)| with.wall - without.wall));
    let added_cpu = Figures::of(with.iter().zip(&without).map(|(with, without)| with.cpu - without.cpu));
    println!(
        "| {} | {} | {} | {} | {} | {:.3} | {:.2} |",
        build.settings.name(),
        written.steps,
        if incremental { "after an edit beside the macro" } else { "the whole crate anew" },
        Figures::of(with.iter().map(|cost| cost.wall)),
        Figures::of(without.iter().map(|cost| cost.wall)),
        added.median,
        added_cpu.median,
    );
}

/// Runs both programs: the workflow completes, and its last result is the one that its handlers make.
fn run(written: &Written, target: &Path) {
    let build = Build { directory: &written.directory, target, settings: Settings::Dev };
    for package in ["with", "without"] {
        let printed = build.run(package);
        assert_eq!(printed.trim(), written.expected, "the program `{package}` of {} steps", written.steps);
    }
    println!("\nThe workflow of {} steps completes in both programs: {}", written.steps, written.expected);
}

/// What figures can be compared by.
fn print_machine() {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{cores} cores of {}, Linux {}", model.map_or("?", |(_, model)| model), kernel.trim());
    println!("{}; load average at the start: {}", build::compiler(), load.trim());
}
