use tasker::step_handler;

struct Payments;

#[step_handler("Payments", method = "charge")]
impl Payments {
    async fn charge(&self) {}
}

fn main() {}
