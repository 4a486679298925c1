use tasker::step_handler;

#[step_handler(42)]
async fn charge() {}

fn main() {}
