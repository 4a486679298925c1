use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self, cents: u64) {
        let _ = cents;
    }
}

fn main() {}
