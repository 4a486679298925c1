use tasker::step_handler;

#[step_handler("Billing::Charge", "Billing::Refund")]
async fn charge() {}

fn main() {}
