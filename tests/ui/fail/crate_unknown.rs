use tasker::step_handler;

#[step_handler("Billing::Charge", crate = workflows)]
async fn charge() {}

fn main() {}
