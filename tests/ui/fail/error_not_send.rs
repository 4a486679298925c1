use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() -> Result<u64, Box<dyn std::error::Error>> {
    Ok(7)
}

fn main() {}
