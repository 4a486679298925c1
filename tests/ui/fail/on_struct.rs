use tasker::step_handler;

#[step_handler("Billing::Charge")]
pub struct Charge {
    pub cents: u64,
}

fn main() {}
