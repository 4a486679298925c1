use tasker::{State, step_handler};

use std::cell::Cell;

#[step_handler("Billing::Charge")]
async fn charge(State(calls): State<Cell<u64>>) {
    calls.set(1);
}

fn main() {}
