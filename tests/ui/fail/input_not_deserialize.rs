use tasker::step_handler;

struct Order {
    cents: u64,
}

#[step_handler("Billing::Charge")]
async fn charge(#[input] order: Order) -> u64 {
    order.cents
}

fn main() {}
