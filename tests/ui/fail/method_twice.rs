use tasker::step_handler;

#[step_handler("Billing", method = "charge", method = "refund")]
async fn refund() {}

fn main() {}
