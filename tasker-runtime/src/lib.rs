//! Runs task templates with typed step handlers, durably, in your own process.
//!
//! A YAML template declares the steps of a task, how they depend on each other and how they are
//! retried; functions with [`#[step_handler]`](step_handler) do the work. [`Tasker::builder`] matches
//! the two and finds every mismatch before anything runs. A task that [`Tasker::create_task`] has
//! returned is finished whatever happens to the process: its results lie in a SQLite file.
//!
//! At the root are the names that most applications need. The others are in modules by what they are about:
//! [`task`], [`handler`], [`operate`], [`limits`], [`events`], [`worker`], [`error`], [`json`], [`store`],
//! [`clock`], and `testing` with the feature of that name.

#![cfg_attr(docsrs, feature(doc_cfg))]

// So that what the macro writes compiles in here as it does in every other crate.
extern crate self as tasker_runtime;

mod build;
mod client;
pub mod clock;
mod engine;
pub mod handler;
pub mod store;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod workflow;

/// The crate by whose `JsonSchema` types describe themselves.
#[cfg(feature = "schemars")]
#[cfg_attr(docsrs, doc(cfg(feature = "schemars")))]
pub use schemars_1 as schemars;

pub use build::builder::Builder;
pub use build::fault::BuildError;
pub use build::report::Report;
pub use client::error::Error;
pub use client::new_task::{IdentityStrategy, NewTask};
pub use client::task::Task;
pub use client::tasker::Tasker;
#[doc(no_inline)]
pub use handler::{
    FromStep, OrStepError, ResultWrites, State, StepContext, StepError, StepHandler, StepResult,
};
pub use tasker_macros::{WorkflowInput, step_handler, workflow};
pub use tasker_store::{StepState, TaskFilter, TaskId, TaskState};
/// The crate whose `Validate` inputs are validated with.
pub use validator;
#[doc(no_inline)]
pub use workflow::WorkflowInput;

/// Tasks: to create them, to list them, and what one is made of.
pub mod task {
    pub use crate::client::look::TaskSummary;
    #[doc(no_inline)]
    pub use crate::client::new_task::{IdentityStrategy, NewTask};
    pub use crate::client::snapshots::TemplateSnapshot;
    pub use crate::client::step_tasks::StepTasks;
    #[doc(no_inline)]
    pub use crate::client::task::Task;
    pub use crate::client::task::{Action, Attempt, OutputError, Step, TaskFailure};
    pub use tasker_store::{
        AttemptOutcome, HoldingWorker, Origin, WaitHolder, WaitKind, WaitingFor, WaitingOn,
    };
    #[doc(no_inline)]
    pub use tasker_store::{StepState, TaskFilter, TaskId, TaskState};
}

/// What operators do to tasks, and tasks that somebody should look at.
pub mod operate {
    pub use crate::client::dead_letter::{DeadLetter, DeadLetterFilter};
    pub use crate::client::operate::{Operator, RetryPlan, RetryScope};
    pub use crate::client::stale::{Staleness, TaskAge};
    pub use tasker_store::{ActionDetails, DeadLetterReason, DeadLetterStatus};
}

/// Whether a store keeps its own rules: what [`Tasker::doctor`] looks at, and what it finds.
pub mod doctor {
    pub use crate::client::doctor_report::{DoctorOptions, DoctorReport, LookedAt};
    pub use tasker_store::doctor::{Finding, FindingKind};
}

/// Limits that hold for all workers of a store together.
pub mod limits {
    pub use crate::client::error::LimitError;
    pub use tasker_store::{FleetLimit, LimitHolder, LimitRecord, LimitScope, Rate, RateError};
}

/// What happens in a runtime, for whoever wants to watch.
pub mod events {
    pub use crate::client::event::{Event, Events};
}

/// Workers, as they describe themselves and as others see them.
pub mod worker {
    pub use crate::client::tasker::Description;
    pub use tasker_store::{ProgramRecord, WorkerId, WorkerInfo, WorkerRecord};
}

/// Errors beyond those at the root, and how errors are printed.
pub mod error {
    pub use crate::build::check::Validation;
    pub use crate::build::fault::BuildFault;
    pub use crate::build::violations::{Violation, Violations};
    pub use crate::client::error::{ContextError, LimitError};
    pub use crate::client::task::{OutputError, TaskFailure};
    pub use tasker_store::{BoxError, ErrorKind, ErrorRecord, UnknownWord, chain};
}

/// JSON as it was written, read when somebody asks for a type.
pub mod json {
    pub use tasker_store::{Json, JsonError, JsonWriteError};
}

/// Not for people: what the macro writes refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::handler::private::*;
    pub use crate::handler::{
        CodeLocation, Dependency, HandlerSchemas, InputParameter, Registration, StateRequirement, StepFuture,
        StepOutcome,
    };
    /// What `workflow!` writes refers to.
    pub mod workflow {
        pub use crate::workflow::private::*;
    }
    pub use crate::{FromStep, StepContext, StepError, StepHandler, Task, TaskId, Tasker};
}
