use tasker::step_handler;

trait Billing {
    #[step_handler("Billing", method = "refund")]
    async fn refund(&self);
}

fn main() {}
