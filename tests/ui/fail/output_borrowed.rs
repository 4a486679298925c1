use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: &String) -> &str {
    account
}

fn main() {}
