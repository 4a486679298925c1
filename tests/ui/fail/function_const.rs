use tasker::step_handler;

#[step_handler("Billing::Charge")]
const fn charge() -> u64 {
    7
}

fn main() {}
