use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[cfg(windows)] #[input("cents")] cents: u64) {}

fn main() {}
