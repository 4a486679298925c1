use tasker::step_handler;

#[step_handler("Billing::Open")]
async fn open() -> u64 {
    1
}

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents")] #[depends_on(open)] cents: u64) -> u64 {
    cents
}

fn main() {}
