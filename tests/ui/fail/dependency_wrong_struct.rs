use tasker::{StepError, step_handler};

#[derive(serde::Serialize, serde::Deserialize)]
struct Account {
    id: u64,
}

#[step_handler("Billing::Open")]
async fn open() -> Result<Account, StepError> {
    Ok(Account { id: 1 })
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: &u64) -> u64 {
    *account
}

fn main() {}
