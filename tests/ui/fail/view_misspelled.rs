use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents", veiw)] cents: u64) -> u64 {
    cents
}

#[step_handler("Billing::Check")]
async fn check(#[input("cents", valdate = false)] cents: u64) -> u64 {
    cents
}

#[step_handler("Billing::Refund")]
async fn refund(#[depends_on("charge", veiw)] cents: u64) -> u64 {
    cents
}

fn main() {}
