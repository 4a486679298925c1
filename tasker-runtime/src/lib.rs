//! Runs task templates with typed step handlers, durably, in your own process.
//!
//! A YAML template declares the steps of a task, how they depend on each other and how they are
//! retried; functions with [`#[step_handler]`](step_handler) do the work. [`Tasker::builder`] matches
//! the two and finds every mismatch before anything runs. A task that [`Tasker::create_task`] has
//! returned is finished whatever happens to the process: its results lie in a SQLite file.

// So that what the macro writes compiles in here as it does in every other crate.
extern crate self as tasker_runtime;

mod backoff;
mod bind;
mod build_error;
mod builder;
mod clock;
mod dead_letter;
mod engine;
mod event;
mod fleet_limits;
mod handler;
mod id;
mod identity;
mod json;
mod limits;
mod operate;
mod registry;
mod schema;
mod stale;
mod state;
mod step_error;
pub mod store;
mod task;
mod tasker;
#[cfg(feature = "testing")]
pub mod testing;

pub use build_error::{BuildError, BuildFault};
pub use builder::Builder;
pub use clock::Clock;
pub use dead_letter::{DeadLetter, DeadLetterFilter};
pub use event::Event;
pub use handler::{
    CodeLocation, Dependency, DependencyOutput, FromStep, HandlerError, OptionalDependencyOutput,
    Registration, SqlValue, SqlWrite, State, StateRequirement, StepContext, StepFuture, StepHandler,
    StepOutcome, Transaction,
};
pub use id::{TaskId, TemplateId, WorkerId};
pub use json::{Json, JsonError};
pub use operate::{Operator, RetryPlan, RetryScope};
pub use schema::{Violation, Violations};
pub use stale::{Staleness, Stay, WaitingFor};
pub use state::{AttemptOutcome, DeadLetterReason, DeadLetterStatus, StepState, TaskState};
pub use step_error::{BoxError, ErrorKind, ErrorRecord, OrStepError, StepError, StepResult};
pub use store::{
    ActionDetails, ActionRecord, FleetLimit, LimitKind, LimitRecord, MemoryStore, Origin, Rate, RateError,
    SqliteStore, StoreError, TaskFilter, WorkerInfo, WorkerRecord,
};
#[cfg(feature = "postgres")]
pub use store::{Executor, PostgresStore};
pub use task::{Action, Attempt, OutputError, Step, Task, TaskFailure};
pub use tasker::{Description, Error, IdentityStrategy, NewTask, TaskSummary, Tasker};
pub use tasker_macros::step_handler;

/// Not for people: what the macro writes refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::handler::private::*;
    pub use crate::{
        CodeLocation, Dependency, FromStep, Registration, StateRequirement, StepContext, StepError,
        StepFuture, StepHandler, StepOutcome,
    };
}
