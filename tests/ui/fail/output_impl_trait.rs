use tasker::step_handler;

#[step_handler("Billing::Charge")]
async fn charge() -> impl serde::Serialize {
    7
}

fn main() {}
