use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    const CURRENCY: &'static str = "EUR";

    async fn charge(&self) {}
}

fn main() {}
