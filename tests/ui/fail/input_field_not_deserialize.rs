use tasker::step_handler;

struct Order {
    cents: u64,
}

#[step_handler("Billing::Charge")]
async fn charge(#[input("order")] order: Option<Order>) -> Option<u64> {
    order.map(|order| order.cents)
}

fn main() {}
