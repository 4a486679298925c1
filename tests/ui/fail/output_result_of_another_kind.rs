use tasker::step_handler;

type Result = u64;

#[step_handler("Billing::Charge")]
async fn charge() -> Result {
    7
}

fn main() {}
