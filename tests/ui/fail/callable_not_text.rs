use tasker::step_handler;

#[step_handler(Billing::Charge)]
async fn charge() {}

fn main() {}
