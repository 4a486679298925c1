use tasker::step_handler;

#[step_handler("Billing::Charge")]
extern "C" fn charge() {}

fn main() {}
