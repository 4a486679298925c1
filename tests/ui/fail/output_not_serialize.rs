use tasker::step_handler;

struct Receipt {
    _cents: u64,
}

#[step_handler("Billing::Charge")]
async fn charge() -> Receipt {
    Receipt { _cents: 7 }
}

fn main() {}
