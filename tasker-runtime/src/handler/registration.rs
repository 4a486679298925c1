//! The registration of a handler, without its type.

use std::fmt;

use crate::handler::{ConfigParameter, Dependency, StateRequirement, StepContext, StepFuture, StepHandler};

/// A place in source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeLocation {
    /// The path of the file, as the compiler reports it.
    pub file: &'static str,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for CodeLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A handler without its type, as `#[step_handler]` registers it.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    pub(crate) callable: &'static str,
    pub(crate) method: &'static str,
    pub(crate) name: &'static str,
    pub(crate) depends_on: &'static [Dependency],
    pub(crate) configs: &'static [ConfigParameter],
    pub(crate) reads_other_configs: bool,
    pub(crate) location: CodeLocation,
    pub(crate) requires: fn() -> Vec<StateRequirement>,
    pub(crate) call: fn(StepContext) -> StepFuture,
}

impl Registration {
    /// The registration of a handler; `name` is the function's, for messages.
    ///
    /// ```
    /// # use tasker::{step_handler, handler::Registration};
    /// #[step_handler("Docs::Register")]
    /// fn greet() -> &'static str { "Hello!" }
    /// let greeter = Registration::of::<greet>("greet");
    /// ```
    #[must_use]
    pub const fn of<H: StepHandler>(name: &'static str) -> Self {
        Self {
            callable: H::CALLABLE,
            method: H::METHOD,
            name,
            depends_on: H::DEPENDS_ON,
            configs: H::CONFIGS,
            reads_other_configs: H::READS_OTHER_CONFIGS,
            location: H::LOCATION,
            requires: H::requires,
            call: H::call,
        }
    }
}

inventory::collect!(Registration);
