use tasker::{StepError, step_handler};

struct Receipt {
    _cents: u64,
}

#[step_handler("Billing::Charge")]
async fn charge() -> Result<Vec<Receipt>, StepError> {
    Ok(vec![Receipt { _cents: 7 }])
}

fn main() {}
