use tasker::StepHandler;
use tasker::handler::{CodeLocation, Dependency, StateRequirement, StepFuture};

#[path = "common/handlers.rs"]
mod handlers;

pub struct Ship;

impl StepHandler for Ship {
    const CALLABLE: &'static str = "Shop::Ship";
    const METHOD: &'static str = "call";
    const DEPENDS_ON: &'static [Dependency] = &[];
    const LOCATION: CodeLocation = CodeLocation { file: file!(), line: line!() };
    type Output = String;

    fn requires() -> Vec<StateRequirement> {
        Vec::new()
    }

    fn call(_: tasker::StepContext) -> StepFuture {
        unimplemented!()
    }
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, Ship }
}

fn main() {}
