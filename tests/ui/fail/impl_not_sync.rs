use std::cell::Cell;

use tasker::step_handler;

struct Payments {
    count: Cell<u64>,
}

#[step_handler("Payments")]
impl Payments {
    async fn charge(&self) -> u64 {
        self.count.get()
    }
}

fn main() {}
