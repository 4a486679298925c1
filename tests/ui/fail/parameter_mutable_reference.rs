use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents")] cents: &mut u64) {
    *cents += 1;
}

fn main() {}
