use tasker::step_handler;

#[step_handler("Billing", method = refund)]
async fn refund() {}

fn main() {}
