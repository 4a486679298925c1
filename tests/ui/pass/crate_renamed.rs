// As if neither were a dependency under its own name.
extern crate core as tasker;
extern crate core as tasker_runtime;
extern crate tasker as workflows;

mod platform {
    pub extern crate tasker as engine;
}

use workflows::workflow::Workflow as _;
use workflows::{StepHandler, WorkflowInput as _};

#[workflows::step_handler("Billing::Open", crate = workflows)]
async fn open() -> String {
    "account".to_owned()
}

#[platform::engine::step_handler("Billing", method = "charge", crate = crate::platform::engine)]
async fn charge(#[depends_on(open)] account: String) -> usize {
    account.len()
}

#[derive(serde::Serialize, workflows::WorkflowInput)]
#[tasker(crate = workflows)]
struct Wanted {
    item: String,
}

#[derive(serde::Serialize, platform::engine::WorkflowInput)]
#[tasker(crate = crate::platform::engine)]
struct WantedElsewhere {
    item: String,
}

#[workflows::step_handler("Ui::Reserve", crate = workflows)]
async fn reserve(#[input("item")] item: String) -> String {
    item
}

#[workflows::step_handler("Ui::Charge", crate = workflows)]
async fn pay(#[depends_on(reserve, step = "steps")] item: String) -> usize {
    item.len()
}

workflows::workflow! {
    crate = workflows;
    /// With documentation behind.
    pub(crate) order(Wanted) = "pass/workflow.yaml" { reserve, pay }
}

platform::engine::workflow! {
    crate = crate::platform::engine;
    order_elsewhere(WantedElsewhere) = "pass/workflow.yaml" { reserve, pay }
}

workflows::workflow! { crate = workflows; order_of_anything = "pass/workflow.yaml" { reserve, pay } }

fn main() {
    assert_eq!(charge::DEPENDS_ON[0].handler, Some(("Billing::Open", "call")));
    assert_eq!((Wanted::FIELDS, WantedElsewhere::NAME), (&["item"][..], "WantedElsewhere"));
    let builder =
        workflows::Tasker::builder().workflow(order).workflow(order_elsewhere).workflow(order_of_anything);
    assert!(builder.has_handlers());
    assert_eq!(order::Workflow::NAME, order_of_anything::Workflow::NAME);
    assert_eq!(order_elsewhere::Step::Steps.name(), "steps");
}
