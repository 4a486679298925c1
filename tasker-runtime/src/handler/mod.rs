//! Handlers: the trait [`StepHandler`], which `#[step_handler]` implements, the parameters and results of
//! handlers, and their registrations without types.

mod cancelled;
pub(crate) mod config;
mod context;
mod convert;
pub(crate) mod described;
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
pub use described::HandlerSchemas;
pub(crate) use extract::States;
pub use extract::{FromStep, State, StateRequirement};
pub use info::HandlerInfo;
pub use registration::{CodeLocation, Registration};
pub use result_writes::ResultWrites;
pub use step_error::{OrStepError, StepError, StepResult};
pub use tasker_store::{SqlValue, SqlWrite};

/// Code that runs a step. `#[step_handler]` on a function implements it for a type of the function's name, and on an
/// `impl` block for a type of each method's.
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
///
/// # By hand
///
/// An implementation without the macro reads what it needs from the [`StepContext`], so that `workflow!` and the
/// start check only the names of the steps in [`DEPENDS_ON`](Self::DEPENDS_ON). It does not register itself: list it
/// in `workflow!`, or with [`Builder::handler`](crate::Builder::handler).
///
/// ```
/// use tasker::handler::{Dependency, StepFuture, StateRequirement};
/// use tasker::{StepContext, StepHandler, StepResult, Tasker};
///
/// #[derive(Clone)]
/// struct Shipping {
///     carrier: String,
/// }
///
/// impl StepHandler for Shipping {
///     const CALLABLE: &'static str = "Docs::Shipping";
///     const DEPENDS_ON: &'static [Dependency] = &[Dependency::on("pack")];
///     type Output = String;
///
///     fn requires() -> Vec<StateRequirement> {
///         vec![StateRequirement::of::<Self>()]
///     }
///
///     fn call(step: StepContext) -> StepFuture {
///         step.attempt_with(async |step| {
///             let shipping: Self = step.state()?;
///             let parcels: u32 = step.dependency("pack")?;
///             StepResult::Ok(format!("{parcels} parcels by {}", shipping.carrier))
///         })
///     }
/// }
///
/// let shipping = Shipping { carrier: "road".to_owned() };
/// let builder = Tasker::builder().handler::<Shipping>().state(shipping);
/// ```
#[diagnostic::on_unimplemented(
    message = "[TSK317] `{Self}` is not a step handler",
    label = "not a step handler",
    note = "name the function that has `#[step_handler(\"…\")]`, or the step itself in quotes: \
            `#[depends_on(\"step\")]`"
)]
pub trait StepHandler: 'static {
    /// What messages call it; by default, its type.
    const NAME: &'static str = "";
    /// The `handler.callable` by which a template names this handler.
    const CALLABLE: &'static str;
    /// The `handler.method` by which a template names this handler; the template's default is `call`.
    const METHOD: &'static str = tasker_template::DEFAULT_METHOD;
    /// The steps whose results it reads; it is given no others.
    const DEPENDS_ON: &'static [Dependency] = &[];
    /// The fields of the task's context that it takes one by one.
    const INPUT_FIELDS: &'static [InputParameter] = &[];
    /// What it takes of `handler.initialization`.
    const CONFIGS: &'static [ConfigParameter] = &[];
    /// Whether it may read values of `handler.initialization` that are not among `CONFIGS`, as one that takes a
    /// [`StepContext`] may.
    const READS_OTHER_CONFIGS: bool = true;
    /// Whether it implements [`FitsSteps`](crate::workflow::FitsSteps) and
    /// [`FitsInput`](crate::workflow::FitsInput), by which `workflow!` compares types.
    const SAYS_ITS_TYPES: bool = false;
    /// The place of its source code: `CodeLocation { file: file!(), line: line!() }`.
    const LOCATION: CodeLocation = CodeLocation::UNKNOWN;
    /// The type of its result.
    type Output;

    /// The JSON schemas of what it takes and returns, as far as its types describe themselves.
    #[must_use]
    fn schemas() -> HandlerSchemas {
        HandlerSchemas::default()
    }

    /// The states that it needs from the application.
    #[must_use]
    fn requires() -> Vec<StateRequirement> {
        Vec::new()
    }

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

impl Dependency {
    /// The step of this name.
    ///
    /// ```
    /// use tasker::handler::Dependency;
    /// const PACKED: Dependency = Dependency::on("pack").or_none();
    /// assert!(PACKED.optional);
    /// ```
    #[must_use]
    pub const fn on(step: &'static str) -> Self {
        Self { step, handler: None, optional: false, parameter: step }
    }

    /// The step of this name, which must run the handler `H`.
    ///
    /// ```
    /// use tasker::{handler::Dependency, step_handler};
    ///
    /// #[step_handler("Docs::Pack")]
    /// fn pack() -> u32 { 2 }
    /// assert_eq!(Dependency::of::<pack>("pack").handler, Some(("Docs::Pack", "call")));
    /// ```
    #[must_use]
    pub const fn of<H: StepHandler>(step: &'static str) -> Self {
        Self { step, handler: Some((H::CALLABLE, H::METHOD)), optional: false, parameter: step }
    }

    /// The same, but its result may be missing.
    #[must_use]
    pub const fn or_none(self) -> Self {
        Self { optional: true, ..self }
    }
}

/// A field of the task's context that a handler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputParameter {
    /// The field's name.
    pub name: &'static str,
    /// Whether it may be missing.
    pub optional: bool,
}
