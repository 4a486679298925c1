//! A package that depends on `tasker` alone.

// As if `tasker_runtime` were no dependency.
extern crate core as tasker_runtime;

use tasker::step_handler;

#[step_handler("Billing::Open")]
async fn open(#[input("account")] account: String) -> Result<String, tasker::StepError> {
    Ok(account)
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: &String, context: tasker::StepContext) -> usize {
    account.len() + context.step_name().len()
}

fn main() {}
