use tasker::step_handler;

struct Billing;

#[step_handler("Billing")]
impl Billing {
    async fn refund(&self) {}
}

fn main() {}
