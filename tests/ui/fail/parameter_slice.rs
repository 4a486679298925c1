use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("amounts")] amounts: &[u64]) -> usize {
    amounts.len()
}

fn main() {}
