use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() -> Result<u64, u32> {
    Err(402)
}

fn main() {}
