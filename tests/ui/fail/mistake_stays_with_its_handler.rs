use tasker::{StepError, step_handler};

#[step_handler(Billing::Open)]
async fn open(#[input("account")] account: String) -> Result<String, StepError> {
    Ok(account)
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: String) -> usize {
    account.len()
}

fn call_it() -> impl Future {
    open(String::new())
}

fn main() {}
