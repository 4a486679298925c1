use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: Option<impl AsRef<str>>) -> bool {
    account.is_some()
}

fn main() {}
