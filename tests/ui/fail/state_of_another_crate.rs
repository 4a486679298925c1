use tasker::step_handler;

mod axum {
    pub struct State<T>(pub T);
}

use axum::State;

#[derive(Clone)]
struct Database;

#[step_handler("Billing::Charge")]
async fn charge(State(database): State<Database>) {
    let _ = database;
}

fn main() {}
