// As if neither were a dependency under its own name.
extern crate core as tasker;
extern crate core as tasker_runtime;
extern crate tasker as workflows;

mod platform {
    pub extern crate tasker as engine;
}

use workflows::StepHandler;

#[workflows::step_handler("Billing::Open", crate = workflows)]
async fn open() -> String {
    "account".to_owned()
}

#[platform::engine::step_handler("Billing", method = "charge", crate = crate::platform::engine)]
async fn charge(#[depends_on(open)] account: String) -> usize {
    account.len()
}

fn main() {
    assert_eq!(charge::DEPENDS_ON[0].handler, Some(("Billing::Open", "call")));
}
