use tasker::step_handler;

#[derive(serde::Serialize)]
struct Account {
    id: u64,
}

#[step_handler("Billing::Open")]
async fn open() -> Account {
    Account { id: 1 }
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: Account) -> u64 {
    account.id
}

fn main() {}
