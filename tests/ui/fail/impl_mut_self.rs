use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge(&mut self) {}
}

fn main() {}
