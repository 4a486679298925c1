use std::rc::Rc;

use tasker::step_handler;

#[derive(Debug, thiserror::Error)]
#[error("declined: {0}")]
struct Declined(Rc<str>);

#[step_handler("Billing::Charge")]
async fn charge() -> Result<u64, Declined> {
    Err(Declined("no".into()))
}

fn main() {}
