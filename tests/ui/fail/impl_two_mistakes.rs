use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self, #[input(cents)] cents: u64) -> u64 {
        cents
    }

    async fn refund(&mut self) {}
}

fn main() {}
