//! What the engine costs. Without arguments: every case, each in a process of its own, as a table.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a program that measures and prints"
)]

mod diamond;
mod fleet;
mod grown;
mod history;
mod measure;
mod recovery;
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
    /// Several processes on one PostgreSQL schema
    Fleet(fleet::Options),
    /// The diamond on a file that holds many finished tasks
    Grown(grown::Options),
    /// The diamond on a PostgreSQL schema that holds many finished and waiting tasks, and on an empty one
    History(history::Options),
    /// How long the steps of a killed worker wait
    Recovery(recovery::Options),
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
        Some(Case::Fleet(options)) => fleet::run(&options),
        Some(Case::Grown(options)) => grown::run(&options),
        Some(Case::History(options)) => history::run(&options),
        Some(Case::Recovery(options)) => recovery::run(&options),
        Some(Case::Shape(options)) => shape::run(&options),
        Some(Case::Steady(options)) => steady::run(&options),
        Some(Case::Waiting(options)) => waiting::run(&options),
    }
}
