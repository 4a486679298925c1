use tasker::step_handler;

struct Account;

#[step_handler("Billing::Charge")]
async fn charge(account: &Account) {
    let _ = account;
}

fn main() {}
