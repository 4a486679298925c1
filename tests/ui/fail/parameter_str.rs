use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: &str) -> usize {
    account.len()
}

fn main() {}
