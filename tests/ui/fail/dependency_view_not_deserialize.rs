use tasker::step_handler;

struct Account {
    id: u64,
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on("open")] account: Account) -> u64 {
    account.id
}

fn main() {}
