use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents", "currency")] cents: u64) -> u64 {
    cents
}

fn main() {}
