use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("account")] account: &'static String) -> usize {
    account.len()
}

fn main() {}
