use tasker::step_handler;

#[step_handler("")]
async fn charge() {}

fn main() {}
