use tasker::{StepError, step_handler};

#[step_handler("Billing::Open")]
async fn open() -> Result<impl AsRef<str>, StepError> {
    Ok(String::new())
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: Option<String>) -> usize {
    account.map_or(0, |account| account.len())
}

fn main() {}
