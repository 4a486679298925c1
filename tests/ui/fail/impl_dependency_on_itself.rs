use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self, #[depends_on(payments::charge)] charged: u64) -> u64 {
        charged
    }
}

fn main() {}
