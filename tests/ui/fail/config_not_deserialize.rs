use tasker::step_handler;

struct Gateway;

#[step_handler("Fetch")]
async fn fetch(#[config] gateway: Gateway) {
    let _ = gateway;
}

fn main() {}
