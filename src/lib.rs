//! Workflows declared in YAML, step handlers as typed async functions, durable in your own process.
//!
//! This crate is the whole of Tasker under one name: the [runtime](tasker_runtime), the
//! [templates](template), and the command line as a library. At its root are the names that most applications
//! need; [`prelude`] has those of a file of handlers.
//!
//! A template, `templates/greeting.yaml`:
//!
//! ```yaml
//! name: greeting
//! namespace_name: docs
//! version: 1.0.0
//! steps:
//!   - name: find_name
//!     handler: {callable: "Greeting::FindName"}
//!   - name: greet
//!     handler: {callable: "Greeting::Greet"}
//!     dependencies: [find_name]
//!     retry: {max_attempts: 5, backoff: exponential, initial_delay: 2, max_delay: 30}
//! ```
//!
//! Its handlers, which [`workflow!`] checks against it while compiling, and the client that it makes of the two:
//!
//! ```standalone_crate
//! use serde::{Deserialize, Serialize};
//! use tasker::prelude::*;
//!
//! #[derive(Serialize, Deserialize, WorkflowInput)]
//! struct Guest {
//!     id: u32,
//! }
//!
//! #[step_handler("Greeting::FindName")]
//! async fn find_name(#[input("id")] id: u32) -> Result<String, StepError> {
//!     match id {
//!         7 => Ok("Ada".to_owned()),
//!         _ => Err(StepError::permanent("nobody has this id").with_code("UNKNOWN_ID")),
//!     }
//! }
//!
//! #[step_handler("Greeting::Greet")]
//! async fn greet(#[depends_on(find_name)] name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! tasker::workflow! {
//!     greeting(Guest) = "templates/greeting.yaml" { find_name, greet }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tasker::Report> {
//! let tasker = Tasker::builder().workflow(greeting).store_url("memory:").build().await?;
//! let handle = greeting::create(&tasker, Guest { id: 7 }).await?;
//! assert_eq!(handle.wait().await?.greet, "Hello, Ada!");
//! # tasker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Templates can also be read when the program starts ([`Builder::templates`]), and tasks be created by their names
//! ([`NewTask`]).
//!
//! # Testing
//!
//! `tasker::testing` tests one handler, or a whole template in virtual time, where a backoff of half an hour
//! passes in milliseconds. It comes with the feature `testing`, which belongs in `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! tasker = { version = "0.1", features = ["testing"] }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/first-hour.md")]
struct FirstHourPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/handlers.md")]
struct HandlersPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct TestingPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/durability.md")]
struct DurabilityPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/own-tables.md")]
struct OwnTablesPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/result-types.md")]
struct ResultTypesPage;

#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use tasker_runtime::testing;
pub use tasker_runtime::{
    BuildError, Builder, Error, FromStep, IdentityStrategy, NewTask, OrStepError, Report, ResultWrites,
    State, StepContext, StepError, StepHandler, StepResult, StepState, Task, TaskFilter, TaskId, TaskState,
    Tasker,
};
pub use tasker_runtime::{clock, doctor, error, events, handler, json, limits, operate, store, task, worker};

// Instead of the runtime's own: what this one writes names `::tasker`, the only crate that most
// applications depend on.
#[doc(inline)]
pub use tasker_runtime::__private::{
    FacadeWorkflowInput as WorkflowInput, facade_step_handler as step_handler, facade_workflow as workflow,
};
// What it writes refers to.
#[doc(hidden)]
pub use tasker_runtime::__private;

/// The crate by whose `JsonSchema` types describe themselves.
#[cfg(feature = "schemars")]
#[cfg_attr(docsrs, doc(cfg(feature = "schemars")))]
pub use tasker_runtime::schemars;
/// The crate whose `Validate` inputs are validated with.
pub use tasker_runtime::validator;
#[doc(no_inline)]
pub use tasker_runtime::workflow::WorkflowInput;

/// Workflows that were checked while compiling: what [`workflow!`] makes.
pub mod workflow {
    pub use tasker_runtime::workflow::*;
}

/// Task templates: reading, checking, and their graph.
pub use tasker_template as template;

/// What a file of handlers needs, and what runs them.
pub mod prelude {
    pub use crate::{WorkflowInput, step_handler, workflow};
    pub use tasker_runtime::{
        NewTask, OrStepError, ResultWrites, State, StepContext, StepError, StepHandler, StepResult, Tasker,
    };
}
