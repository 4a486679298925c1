use tasker::{StepHandler, step_handler};

#[step_handler("Billing::Charge")]
async fn charge() {}

#[step_handler("Billing", method = "refund")]
async fn refund() {}

pub(crate) fn main() {
    assert_eq!((charge::CALLABLE, charge::METHOD), ("Billing::Charge", "call"));
    assert_eq!((refund::CALLABLE, refund::METHOD), ("Billing", "refund"));
}
