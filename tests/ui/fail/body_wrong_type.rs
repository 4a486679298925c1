use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() -> u64 {
    "seven"
}

fn main() {}
