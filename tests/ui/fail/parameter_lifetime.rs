use tasker::step_handler;

use std::borrow::Cow;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: Cow<'_, str>) -> usize {
    account.len()
}

fn main() {}
