use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: Option<&str>) -> bool {
    account.is_some()
}

fn main() {}
