use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() -> ! {
    panic!("never")
}

fn main() {}
