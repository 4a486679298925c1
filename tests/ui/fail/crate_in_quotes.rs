use tasker::step_handler;

#[step_handler("Billing", crate = "tasker")]
async fn charge() {}

fn main() {}
