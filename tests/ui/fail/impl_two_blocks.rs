use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self) {}
}

#[step_handler("Refunds")]
impl Payments {
    async fn refund(&self) {}
}

fn main() {}
