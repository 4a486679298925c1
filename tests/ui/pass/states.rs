//! Parameters whose type is called `State`.
#![deny(warnings)]

use std::sync::Arc;

use tasker::handler::StateRequirement;
use tasker::{FromStep, StepContext, StepError, step_handler};

#[derive(Clone)]
struct Database;

mod own {
    /// Called as Tasker's is, and a parameter by itself.
    pub(super) struct State<T>(pub(super) T);
}

impl<T: Clone + Send + Sync + 'static> FromStep for own::State<T> {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        tasker::State::from_step(context).map(|tasker::State(value)| Self(value))
    }

    fn requires() -> Vec<StateRequirement> {
        tasker::State::<T>::requires()
    }
}

type Shared<T> = tasker::State<Arc<T>>;
type State = tasker::State<Database>;

#[step_handler("States::All")]
async fn all(
    tasker::State(database): tasker::State<Database>,
    own::State(own): own::State<Database>,
    tasker::State(shared): Shared<Database>,
    tasker::State(alias): State,
    dyn_state: tasker::State<Arc<dyn Fn() -> u64 + Send + Sync>>,
) {
    let _ = (database, own, shared, alias, dyn_state);
}

pub(crate) fn main() {}
