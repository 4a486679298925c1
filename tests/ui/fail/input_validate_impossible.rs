use tasker::step_handler;

#[derive(serde::Deserialize)]
struct Cents(u64);

#[step_handler("Billing::Charge")]
async fn charge(#[input(validate)] cents: Cents) {
    let _ = cents;
}

fn main() {}
