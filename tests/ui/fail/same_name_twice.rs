use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() {}

#[step_handler("Billing::Refund")]
async fn charge() {}

fn main() {}
