use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: impl AsRef<str>) -> usize {
    account.as_ref().len()
}

fn main() {}
