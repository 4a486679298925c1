use tasker::step_handler;

#[derive(Clone)]
struct Database;

#[step_handler("Billing::Charge")]
async fn charge(database: Database) {
    let _ = database;
}

fn main() {}
