use tasker::step_handler;

#[step_handler(method = "refund", "Billing")]
async fn refund() {}

fn main() {}
