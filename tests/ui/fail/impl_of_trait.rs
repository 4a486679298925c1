use tasker::step_handler;

struct Payments;

trait Charge {
    fn charge(&self);
}

#[step_handler("Payments")]
impl Charge for Payments {
    fn charge(&self) {}
}

fn main() {}
