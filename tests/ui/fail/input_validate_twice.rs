use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input(validate, validate = false)] cents: u64) {
    let _ = cents;
}

fn main() {}
