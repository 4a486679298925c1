//! What the engine costs. Without arguments: every case, each in a process of its own, as a table.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a program that measures and prints"
)]

mod diamond;
mod grown;
mod schema;
mod shape;
mod steady;
mod table;
mod waiting;
mod writer;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    case: Option<Case>,
    #[command(flatten)]
    table: table::Options,
    /// What `cargo bench` adds
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Case {
    /// The five-step diamond in a closed loop
    Diamond(diamond::Options),
    /// The diamond on a file that holds many finished tasks
    Grown(grown::Options),
    /// One task of many steps
    Shape(shape::Options),
    /// The diamond for a while, with old tasks deleted
    Steady(steady::Options),
    /// Tasks that wait: memory, and the start of a worker on them
    Waiting(waiting::Options),
}

fn main() {
    let options = Options::parse();
    match options.case {
        None => table::print(&options.table),
        Some(Case::Diamond(options)) => diamond::run(&options),
        Some(Case::Grown(options)) => grown::run(&options),
        Some(Case::Shape(options)) => shape::run(&options),
        Some(Case::Steady(options)) => steady::run(&options),
        Some(Case::Waiting(options)) => waiting::run(&options),
    }
}
