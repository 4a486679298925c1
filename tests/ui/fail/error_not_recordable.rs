use tasker::step_handler;

struct Declined;

#[step_handler("Billing::Charge")]
async fn charge() -> Result<u64, Declined> {
    Err(Declined)
}

fn main() {}
