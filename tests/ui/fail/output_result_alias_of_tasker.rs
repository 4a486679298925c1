use tasker::{StepResult, step_handler};

type Outcome<T> = StepResult<T>;

#[step_handler("Billing::Charge")]
async fn charge() -> Outcome<String> {
    Ok(String::new())
}

fn main() {}
