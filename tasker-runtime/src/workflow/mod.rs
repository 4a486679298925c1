//! Workflows that were checked while compiling: what [`workflow!`](crate::workflow!) makes.
//!
//! ```standalone_crate
//! use serde::{Deserialize, Serialize};
//! use tasker::prelude::*;
//!
//! #[derive(Serialize, Deserialize, WorkflowInput)]
//! struct Guest {
//!     name: String,
//! }
//!
//! #[step_handler("Docs::WorkflowGreet")]
//! async fn greet(#[input("name")] name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! tasker::workflow! {
//!     /// Greets a guest.
//!     pub greeting(Guest) = "src/workflow/greeting.yaml" { greet }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tasker = Tasker::builder().workflow(greeting).store_url("memory:").build().await?;
//! let handle = greeting::create(&tasker, Guest { name: "Ada".to_owned() }).await?;
//! let done = handle.wait().await?;
//! assert_eq!(done.greet, "Hello, Ada!");
//! # tasker.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod configs;
mod create;
mod handle;
mod listed_type;
mod plan;
mod text;
mod types;
mod values;
mod verify;
mod wording;

use std::fmt::Debug;

use crate::client::task::{OutputError, Task};
use crate::handler::Registration;

pub use create::Create;
pub use handle::{FailedStep, Handle, WorkflowError, WorkflowFailure};
pub use types::{FitsInput, FitsSteps, WorkflowInput};

/// A workflow: a template, and the handlers of its steps. [`workflow!`](crate::workflow!) implements it, and makes
/// a module of the same name with the functions and types that clients use.
pub trait Workflow: Copy + Debug + Send + Sync + 'static {
    /// The template's file, for messages.
    const FILE: &'static str;
    /// The text of the template.
    const TEMPLATE: &'static str;
    /// The template's namespace.
    const NAMESPACE: &'static str;
    /// The template's name.
    const NAME: &'static str;
    /// The template's version.
    const VERSION: &'static str;
    /// The results of a task that is complete: a field for each step.
    type Completed;
    /// The steps, by name.
    type Step: Copy + Debug + Eq + Send + Sync + 'static;

    /// The handlers of the steps.
    fn handlers() -> Vec<Registration>;

    /// The step of this name.
    fn step(name: &str) -> Option<Self::Step>;

    /// The results of a task that is complete.
    ///
    /// # Errors
    ///
    /// When a step has no result, as one that an operator has resolved without, or one that is of another type.
    fn completed(task: Task) -> Result<Self::Completed, OutputError>;
}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    pub use crate::client::task::{OutputError, Task};
    pub use crate::client::tasker::Tasker;
    pub use crate::handler::private::{Described, Undescribed, Unvalidated, Validated};
    pub use crate::handler::{Registration, StepHandler};
    pub use crate::workflow::create::Executor;
    pub use crate::workflow::listed_type::{
        AnyType, Choice, Choose, IsHandler, NoHandler, Probe, is_handler,
    };
    pub use crate::workflow::plan::{ListedHandler, StepPlan, TemplateFacts};
    pub use crate::workflow::types::{
        AnyInput, ComparedInput, ComparedSteps, FieldView, FitsInput, FitsSteps, InputField, InputOf, Nth,
        OptionalFieldView, OptionalStepView, ReadBack, StepOutput, StepView, WorkflowInput,
    };
    pub use crate::workflow::values::check_values;
    pub use crate::workflow::verify::{bind, check, check_fields, fields_to_compare, steps_to_compare};
    pub use crate::workflow::{Create, Handle, Workflow, WorkflowError, WorkflowFailure};
    pub use tasker_store::TaskId;

    /// The steps of a workflow with mistakes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NoStep {}
}
