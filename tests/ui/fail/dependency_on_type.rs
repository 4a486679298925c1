use tasker::step_handler;

struct Open;

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(Open)] account: u64) -> u64 {
    account
}

fn main() {}
