use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    fn new() -> Self {
        Self
    }

    async fn charge(&self) {}
}

fn main() {}
