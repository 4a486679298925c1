//! Runs task templates with typed step handlers, durably, in your own process.
//!
//! A YAML template declares the steps of a task, how they depend on each other and how they are
//! retried; functions with [`#[step_handler]`](step_handler) do the work. [`Tasker::builder`] matches
//! the two and finds every mismatch before anything runs. A task that [`Tasker::create_task`] has
//! returned is finished whatever happens to the process: its results lie in a SQLite file.

// So that what the macro writes compiles in here as it does in every other crate.
extern crate self as tasker_runtime;

mod build;
mod client;
mod clock;
mod engine;
mod handler;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use build::builder::Builder;
pub use build::fault::{BuildError, BuildFault};
pub use build::violations::{Violation, Violations};
pub use client::dead_letter::{DeadLetter, DeadLetterFilter};
pub use client::event::Event;
pub use client::operate::{Operator, RetryPlan, RetryScope};
pub use client::stale::{Staleness, TaskAge};
pub use client::task::{Action, Attempt, OutputError, Step, Task, TaskFailure};
pub use client::tasker::{Description, Error, IdentityStrategy, NewTask, TaskSummary, Tasker};
pub use clock::Clock;
pub use handler::step_error::{OrStepError, StepError, StepResult};
pub use handler::{
    CodeLocation, Dependency, DependencyOutput, FromStep, HandlerError, OptionalDependencyOutput,
    Registration, State, StateRequirement, StepContext, StepFuture, StepHandler, StepOutcome, Transaction,
};
pub use store::StoreError;
pub use tasker_macros::step_handler;
#[cfg(feature = "postgres")]
pub use tasker_postgres::{Executor, PostgresStore};
#[cfg(feature = "sqlite")]
pub use tasker_sqlite::SqliteStore;
pub use tasker_store::{
    ActionDetails, ActionRecord, AttemptOutcome, BoxError, DeadLetterReason, DeadLetterStatus, ErrorKind,
    ErrorRecord, FleetLimit, Json, JsonError, LimitRecord, LimitScope, MemoryStore, Origin, Rate, RateError,
    SqlValue, StepState, TaskFilter, TaskId, TaskState, TemplateId, WaitingFor, WorkerId, WorkerInfo,
    WorkerRecord,
};
/// The crate whose `Validate` inputs are validated with.
pub use validator;

/// Not for people: what the macro writes refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::handler::private::*;
    pub use crate::{
        CodeLocation, Dependency, FromStep, Registration, StateRequirement, StepContext, StepError,
        StepFuture, StepHandler, StepOutcome,
    };
}
