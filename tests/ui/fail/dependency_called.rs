use tasker::step_handler;

#[step_handler("Billing::Open")]
async fn open() -> u64 {
    1
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open())] account: u64) -> u64 {
    account
}

fn main() {}
