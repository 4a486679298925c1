use tasker::step_handler;

#[step_handler("Billing", method = "")]
async fn refund() {}

fn main() {}
