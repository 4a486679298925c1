use tasker::step_handler;

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

#[step_handler("Billing::Charge")]
async fn charge(#[input(view)] order: Order) -> u64 {
    order.cents
}

#[step_handler("Billing::Refund")]
async fn refund(#[input(validate = false, view)] order: Order) -> u64 {
    order.cents
}

fn main() {}
