use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn charge<T>(&self) {}
}

fn main() {}
