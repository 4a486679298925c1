use tasker::step_handler;

struct Billing;

impl Billing {
    #[step_handler("Billing", method = "refund")]
    async fn refund() {}
}

fn main() {}
