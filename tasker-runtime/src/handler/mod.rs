//! Handlers: the trait [`StepHandler`], which `#[step_handler]` implements, the parameters and results of
//! handlers, and their registrations without types.

mod cancelled;
pub(crate) mod config;
mod context;
mod convert;
mod extract;
mod info;
mod registration;
mod result_writes;
pub(crate) mod step_error;
pub(crate) mod threads;
mod validation;

use std::future::Future;
use std::pin::Pin;

use tasker_store::Json;

pub use cancelled::Cancelled;
pub use config::{Config, ConfigParameter};
pub(crate) use context::INCOMPATIBLE_RESULT;
#[cfg(feature = "testing")]
pub(crate) use context::Runtime;
pub use context::StepContext;
pub(crate) use context::{RunFacts, StepFacts, StepInputs, TaskFacts};
pub(crate) use convert::private;
pub use convert::{DependencyOutput, HandlerError, OptionalDependencyOutput};
pub(crate) use extract::States;
pub use extract::{FromStep, State, StateRequirement};
pub use info::HandlerInfo;
pub use registration::{CodeLocation, Registration};
pub use result_writes::ResultWrites;
pub use step_error::{OrStepError, StepError, StepResult};
pub use tasker_store::{SqlValue, SqlWrite};

/// Code that runs a step. `#[step_handler]` on a function implements it for a type of the function's name.
///
/// ```
/// use tasker::{StepHandler, step_handler};
///
/// #[step_handler("Docs::Greet")]
/// async fn greet(#[input("name")] name: String) -> String {
///     format!("Hello, {name}!")
/// }
/// assert_eq!(<greet as StepHandler>::CALLABLE, "Docs::Greet");
/// ```
#[diagnostic::on_unimplemented(
    message = "[TSK317] `{Self}` is not a step handler",
    label = "not a step handler",
    note = "name the function that has `#[step_handler(\"…\")]`, or the step itself in quotes: \
            `#[depends_on(\"step\")]`"
)]
pub trait StepHandler: 'static {
    /// The `handler.callable` by which a template names this handler.
    const CALLABLE: &'static str;
    /// The `handler.method` by which a template names this handler; the template's default is `call`.
    const METHOD: &'static str;
    /// The steps whose results it reads.
    const DEPENDS_ON: &'static [Dependency];
    /// The fields of the task's context that it takes one by one.
    const INPUT_FIELDS: &'static [InputParameter] = &[];
    /// What it takes of `handler.initialization`.
    const CONFIGS: &'static [ConfigParameter] = &[];
    /// Whether it may read values of `handler.initialization` that are not among `CONFIGS`, as one that takes a
    /// [`StepContext`] may.
    const READS_OTHER_CONFIGS: bool = true;
    /// The place of its source code.
    const LOCATION: CodeLocation;
    /// The type of its result.
    type Output;

    /// The states that it needs from the application.
    fn requires() -> Vec<StateRequirement>;

    /// Runs one attempt.
    fn call(context: StepContext) -> StepFuture;
}

/// The future of an attempt.
pub type StepFuture = Pin<Box<dyn Future<Output = StepOutcome> + Send>>;

/// The outcome of an attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum StepOutcome {
    /// The step is complete, with this result.
    Complete(Json),
    /// The attempt failed.
    Fail(StepError),
}

/// A step whose result a handler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The step's name in the template.
    pub step: &'static str,
    /// The callable and method of the handler that it must run, when the handler was named by its path.
    pub handler: Option<(&'static str, &'static str)>,
    /// Whether the result may be missing.
    pub optional: bool,
    /// The parameter that takes it, for messages.
    pub parameter: &'static str,
}

/// A field of the task's context that a handler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputParameter {
    /// The field's name.
    pub name: &'static str,
    /// Whether it may be missing.
    pub optional: bool,
}
