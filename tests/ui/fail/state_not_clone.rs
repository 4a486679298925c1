use tasker::{State, step_handler};

struct Database;

#[step_handler("Billing::Charge")]
async fn charge(State(database): State<Database>) {
    let _ = database;
}

fn main() {}
