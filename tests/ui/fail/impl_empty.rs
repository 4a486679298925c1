use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {}

fn main() {}
