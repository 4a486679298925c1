use tasker::step_handler;

#[step_handler("Billing::Charge")]
#[step_handler("Billing::Pay")]
async fn charge() {}

fn main() {}
