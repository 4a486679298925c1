use tasker::step_handler;

#[step_handler("Billing::Charge")]
async unsafe fn charge() {}

fn main() {}
