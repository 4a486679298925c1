use tasker::step_handler;

#[step_handler("Billing", metod = "refund")]
async fn refund() {}

fn main() {}
