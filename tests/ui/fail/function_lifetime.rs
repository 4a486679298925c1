use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge<'a>(#[input("account")] account: &'a String) -> usize {
    account.len()
}

fn main() {}
