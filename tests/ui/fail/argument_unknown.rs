use tasker::step_handler;

#[step_handler("Billing", timeout = 30)]
async fn charge() {}

fn main() {}
