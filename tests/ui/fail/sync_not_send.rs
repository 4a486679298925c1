use tasker::{FromStep, StepContext, StepError, step_handler};

use std::rc::Rc;

#[derive(Clone)]
struct Local(Rc<u64>);

impl FromStep for Local {
    fn from_step(_: &StepContext) -> Result<Self, StepError> {
        Ok(Self(Rc::new(1)))
    }
}

#[step_handler("Billing::Charge")]
fn charge(local: Local) -> u64 {
    *local.0
}

fn main() {}
