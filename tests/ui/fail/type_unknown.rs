use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input] order: Order) -> u64 {
    order.cents
}

fn main() {}
