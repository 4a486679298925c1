use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(#[input("cents")] cents: u64) -> u64 {
        cents
    }
}

fn main() {}
