use tasker::step_handler;

#[derive(serde::Deserialize)]
struct Account;

#[step_handler("Billing::Open")]
async fn open() -> Account {
    Account
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: Account) {
    let _ = account;
}

fn main() {}
