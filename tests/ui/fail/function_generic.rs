use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge<T: Default>(#[input("cents")] cents: u64) -> u64 {
    drop(T::default());
    cents
}

fn main() {}
