//! A package that depends on `tasker_runtime` alone.

// As if `tasker` were no dependency.
extern crate core as tasker;

use tasker_runtime::step_handler;

#[step_handler("Billing::Open")]
async fn open(#[input("account")] account: String) -> Result<String, tasker_runtime::StepError> {
    Ok(account)
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: &String) -> usize {
    account.len()
}

fn main() {}
