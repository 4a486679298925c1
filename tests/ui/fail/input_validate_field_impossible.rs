use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge(#[input("cents", validate)] cents: Option<u64>) {
    let _ = cents;
}

fn main() {}
