use tasker::step_handler;

struct Payments;

struct Receipt;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self) -> Receipt {
        Receipt
    }
}

fn main() {}
