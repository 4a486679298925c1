use tasker::step_handler;

#[step_handler("Billing::Open")]
async fn open<T: Default>() -> T {
    T::default()
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] account: String) -> usize {
    account.len()
}

fn main() {}
