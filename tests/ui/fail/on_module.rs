use tasker::step_handler;

#[step_handler("Billing")]
mod billing {}

fn main() {}
