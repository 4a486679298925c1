//! Handler parameters without an attribute.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::handler::StepContext;
use crate::handler::step_error::StepError;

/// A type that a handler may take as a parameter without an attribute. Implement it for a type of your own to
/// make that a parameter.
///
/// ```
/// use tasker::{FromStep, State, StepContext, StepError, step_handler, handler::StateRequirement};
///
/// #[derive(Clone)]
/// struct Database;
/// struct Transaction(Database);
///
/// impl FromStep for Transaction {
///     fn from_step(context: &StepContext) -> Result<Self, StepError> {
///         let State(database) = State::<Database>::from_step(context)?;
///         Ok(Self(database))
///     }
///     fn requires() -> Vec<StateRequirement> {
///         State::<Database>::requires()
///     }
/// }
///
/// #[step_handler("Writer")]
/// async fn write(transaction: Transaction) {}
/// ```
#[diagnostic::on_unimplemented(
    message = "[TSK309] a step handler cannot take a parameter of type `{Self}`",
    label = "where does this come from?",
    note = "mark it `#[input]` (the task's context), `#[input(\"field\")]`, `#[depends_on(handler)]` \
            (another step's result) or `#[config]`, or take `State<{Self}>` or `StepContext`"
)]
pub trait FromStep: Sized {
    /// Takes the value for one attempt.
    ///
    /// # Errors
    ///
    /// When the value is not available. The attempt fails with this error.
    fn from_step(context: &StepContext) -> Result<Self, StepError>;

    /// The states that the application must give to the builder for this; checked before anything runs.
    #[must_use]
    fn requires() -> Vec<StateRequirement> {
        Vec::new()
    }
}

impl FromStep for StepContext {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        Ok(context.clone())
    }
}

/// A value that the application gave to the builder.
///
/// ```
/// use tasker::{State, step_handler};
///
/// #[derive(Clone)]
/// struct Mailer;
///
/// #[step_handler("Docs::Mail")]
/// async fn greet(State(mailer): State<Mailer>) {}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct State<T>(pub T);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + Sync + 'static> FromStep for State<T> {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        context.states().get::<T>().cloned().map(Self).ok_or_else(missing::<T>)
    }

    fn requires() -> Vec<StateRequirement> {
        vec![StateRequirement::of::<T>()]
    }
}

fn missing<T>() -> StepError {
    StepError::permanent(format!("no state of type `{}`", type_name::<T>())).with_code("MISSING_STATE")
}

/// A type of which the application must give a value to the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRequirement {
    pub(crate) id: TypeId,
    /// The type of the value behind an `Arc`.
    shared: TypeId,
    /// Whether a value behind an `Arc` will do.
    pub(crate) or_shared: bool,
    pub(crate) name: &'static str,
}

impl StateRequirement {
    /// A value of this type.
    ///
    /// ```
    /// use tasker::handler::StateRequirement;
    /// assert_eq!(StateRequirement::of::<u8>(), StateRequirement::of::<u8>());
    /// ```
    #[must_use]
    pub fn of<T: 'static>() -> Self {
        let (id, shared) = (TypeId::of::<T>(), TypeId::of::<Arc<T>>());
        Self { id, shared, or_shared: false, name: type_name::<T>() }
    }
}

/// The values that the application gave to the builder, by type.
#[derive(Clone, Default)]
pub(crate) struct States(HashMap<TypeId, Given>);

/// A value, and the requirement that it meets.
#[derive(Clone)]
struct Given {
    meets: StateRequirement,
    value: Arc<dyn Any + Send + Sync>,
}

impl States {
    /// Adds a value. Returns `false` when there was one of this type already.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> bool {
        let given = Given { meets: StateRequirement::of::<T>(), value: Arc::new(value) };
        self.0.insert(TypeId::of::<T>(), given).is_none()
    }

    pub(crate) fn has(&self, requirement: StateRequirement) -> bool {
        self.0.contains_key(&requirement.id)
            || (requirement.or_shared && self.0.contains_key(&requirement.shared))
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.value.downcast_ref()
    }

    /// A value that was given by itself or behind an `Arc`.
    fn object<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let own = self.0.get(&TypeId::of::<T>()).map(|given| Arc::clone(&given.value));
        own.and_then(|value| value.downcast().ok()).or_else(|| self.get::<Arc<T>>().cloned())
    }

    /// What to do about a state that is missing: another that is there may have been meant.
    pub(crate) fn instead_of(&self, missing: StateRequirement) -> String {
        let StateRequirement { id, shared, name, .. } = missing;
        let given = || self.0.values().map(|given| given.meets);
        if let Some(given) = given().find(|given| given.id == shared) {
            let given = given.name;
            return format!(
                "it was given a `{given}`: take `State<{given}>`, or give the value without the `Arc`"
            );
        }
        if let Some(given) = given().find(|given| given.shared == id) {
            let given = given.name;
            return format!(
                "it was given a `{given}`: take `State<{given}>`, or give `Arc::new(…)` of the value"
            );
        }
        if let Some(given) = given().find(|given| short(given.name) == short(name)) {
            return format!("it was given a `{}`, which is another type of this name", given.name);
        }
        "add `.state(…)` with a value of that type".to_owned()
    }
}

/// The name of a type without the path to it.
fn short(name: &str) -> &str {
    let path = name.split('<').next().unwrap_or(name);
    let start = path.rfind("::").map_or(0, |at| at + 2);
    &name[start..]
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").field("types", &self.0.len()).finish()
    }
}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    use std::sync::Arc;

    use super::{StateRequirement, missing};
    use crate::handler::{StepContext, StepError};

    /// The struct whose method is called.
    pub fn object<T: Send + Sync + 'static>(context: &StepContext) -> Result<Arc<T>, StepError> {
        context.states().object().ok_or_else(missing::<T>)
    }

    /// The application gives the struct to the builder, by itself or in an `Arc`.
    #[must_use]
    pub fn object_required<T: 'static>() -> StateRequirement {
        StateRequirement { or_shared: true, ..StateRequirement::of::<T>() }
    }
}
