use tasker::{StepError, step_handler};

type Outcome<T> = Result<T, StepError>;

#[step_handler("Billing::Charge")]
async fn charge() -> Outcome<u64> {
    Ok(7)
}

fn main() {}
