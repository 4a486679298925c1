use tasker::step_handler;

#[step_handler(callable = "Billing::Charge")]
async fn charge() {}

fn main() {}
