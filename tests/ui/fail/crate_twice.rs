use tasker::step_handler;

#[step_handler("Billing::Charge", crate = tasker, crate = tasker_runtime)]
async fn charge() {}

fn main() {}
