//! The registration of a handler, without its type.

use std::any::TypeId;
use std::fmt;

use crate::handler::{
    ConfigParameter, Dependency, HandlerSchemas, InputParameter, StateRequirement, StepContext, StepFuture,
    StepHandler,
};

/// A place in source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeLocation {
    /// The path of the file, as the compiler reports it.
    pub file: &'static str,
    /// The line, counted from 1.
    pub line: u32,
}

impl CodeLocation {
    /// A place that nobody has named.
    ///
    /// ```
    /// use tasker::handler::CodeLocation;
    /// assert_eq!(CodeLocation::UNKNOWN.to_string(), "an unknown place");
    /// ```
    pub const UNKNOWN: Self = Self { file: "", line: 0 };

    /// Whether this is a place.
    pub(crate) const fn is_known(&self) -> bool {
        !self.file.is_empty()
    }
}

impl fmt::Display for CodeLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known() {
            return f.write_str("an unknown place");
        }
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
    /// The type of the handler.
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) schemas: fn() -> HandlerSchemas,
    pub(crate) input_fields: &'static [InputParameter],
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
            type_id: TypeId::of::<H>,
            schemas: H::schemas,
            input_fields: H::INPUT_FIELDS,
            requires: H::requires,
            call: H::call,
        }
    }
}

inventory::collect!(Registration);
