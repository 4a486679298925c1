use tasker::step_handler;

use std::rc::Rc;

#[step_handler("Billing::Charge")]
async fn charge() -> u64 {
    let cents = Rc::new(7);
    std::future::ready(()).await;
    *cents
}

fn main() {}
