use tasker::step_handler;

#[step_handler("Billing::Open")]
async fn open() -> u64 {
    1
}

#[step_handler("Billing::Check")]
async fn check() -> u64 {
    2
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open, check)] account: u64) -> u64 {
    account
}

fn main() {}
