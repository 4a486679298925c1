use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents", view = true)] cents: u64) -> u64 {
    cents
}

#[step_handler("Billing::Refund")]
async fn refund(#[depends_on("charge", view = true)] cents: u64) -> u64 {
    cents
}

fn main() {}
