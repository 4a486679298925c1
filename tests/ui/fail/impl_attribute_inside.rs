use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    #[step_handler("Payments", method = "charge")]
    async fn charge(&self, #[input("cents")] cents: u64) -> u64 {
        cents
    }
}

fn main() {}
