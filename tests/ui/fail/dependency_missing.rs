use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on] account: u64) -> u64 {
    account
}

fn main() {}
