//! Support for the code that `#[step_handler]` generates. The traits exist for their compiler messages.

use tasker_store::BoxError;

/// Holds when a parameter of this type accepts the output `O` of the handler `H`.
#[diagnostic::on_unimplemented(
    message = "[TSK316] dependency `{H}` returns `{O}`, but this parameter expects `{Self}`",
    label = "expected `{O}`",
    note = "take `{O}`, or name the step in quotes to read another view of its result: \
            `#[depends_on(\"step\")]`"
)]
pub trait DependencyOutput<H, O> {
    /// Naming this constant makes the compiler check that the trait holds.
    #[doc(hidden)]
    const HOLDS: () = ();
}

impl<H, O> DependencyOutput<H, O> for O {}

/// Holds when an optional parameter of this type accepts the output `O` of the handler `H`.
#[diagnostic::on_unimplemented(
    message = "[TSK316] dependency `{H}` returns `{O}`, but this parameter expects `{Self}`",
    label = "expected `Option<{O}>`",
    note = "take `Option<{O}>`, or name the step in quotes to read another view of its result: \
            `#[depends_on(\"step\")]`"
)]
pub trait OptionalDependencyOutput<H, O> {
    /// Naming this constant makes the compiler check that the trait holds.
    #[doc(hidden)]
    const HOLDS: () = ();
}

impl<H, O> OptionalDependencyOutput<H, O> for Option<O> {}
impl<H, T> OptionalDependencyOutput<H, Option<T>> for Option<T> {}

/// An error that a handler may return: anything that converts into a `StepError`, or into a boxed error.
#[diagnostic::on_unimplemented(
    message = "[TSK313] a step handler cannot fail with `{Self}`",
    label = "not an error that can be recorded",
    note = "return `StepError`, or implement `From<{Self}> for StepError` or `std::error::Error for {Self}`",
    note = "it must also be `Send` and `Sync`, for an attempt may end on another thread: use `Arc` for `Rc`, and \
            `Mutex` for `Cell`; in a box it is `Box<dyn std::error::Error + Send + Sync>` or `anyhow::Error`"
)]
pub trait HandlerError {
    /// The error in a box.
    fn into_box(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    use std::marker::PhantomData;

    use serde::{Deserialize, Serialize};

    use crate::handler::step_error::StepError;
    use crate::handler::threads::RunningFunction;
    use crate::handler::{FromStep, HandlerError, State, StateRequirement, StepContext, StepOutcome};

    pub use inventory;
    pub use tasker_macros::{FacadeWorkflowInput, facade_step_handler, facade_workflow};

    pub use crate::handler::config::private::*;
    pub use crate::handler::described::private::*;
    pub use crate::handler::extract::private::*;
    pub use crate::handler::validation::private::*;
    pub use crate::handler::{DependencyOutput, OptionalDependencyOutput};

    /// Stands for a type in generated code, in a position where only a type is allowed.
    pub trait Itself {
        type Itself: ?Sized;
    }

    impl<T: ?Sized> Itself for T {
        type Itself = T;
    }

    // These functions read parameters. They require `Deserialize` instead of `DeserializeOwned`, because the
    // compiler's message for it says how to derive it.

    pub fn input<T: for<'de> Deserialize<'de>>(context: &StepContext) -> Result<T, StepError> {
        context.input()
    }

    pub fn input_field<T: for<'de> Deserialize<'de>>(
        context: &StepContext,
        name: &str,
    ) -> Result<T, StepError> {
        context.input_field(name)
    }

    pub fn dependency<T: for<'de> Deserialize<'de>>(
        context: &StepContext,
        step: &str,
    ) -> Result<T, StepError> {
        context.dependency(step)
    }

    pub fn optional_dependency<T: for<'de> Deserialize<'de>>(
        context: &StepContext,
        step: &str,
    ) -> Result<Option<T>, StepError> {
        context.optional_dependency(step)
    }

    /// The conversion of a type that is called `Result`.
    #[diagnostic::on_unimplemented(
        message = "[TSK312] `{Self}` is called `Result`, but is none",
        label = "not a `std::result::Result`",
        note = "give this type another name, or return `Result<T, E>`"
    )]
    pub trait Return {
        /// The type of its result.
        type Output;
        type Error;
        fn into_result(self) -> Result<Self::Output, Self::Error>;
    }

    impl<T, E> Return for Result<T, E> {
        type Output = T;
        type Error = E;

        fn into_result(self) -> Self {
            self
        }
    }

    /// The value of a function whose return type is not called `Result`. An inherent method takes precedence
    /// over the trait's: for a `Result` under another name it is one that cannot be called.
    #[derive(Debug)]
    pub struct Returned<'a, T>(pub &'a T, pub &'a StepContext);

    #[diagnostic::on_unimplemented(
        message = "[TSK312] this type is `{Self}` under another name",
        label = "not called `Result`",
        note = "write `Result<T, E>`, so that an error fails the attempt"
    )]
    pub trait NotResult {}

    impl<T, E> Returned<'_, Result<T, E>> {
        pub fn step_outcome(&self) -> StepOutcome
        where
            Result<T, E>: NotResult,
        {
            unreachable!("no type is `NotResult`")
        }
    }

    pub trait AnyValue<T> {
        fn step_outcome(&self) -> StepOutcome
        where
            T: Serialize;
    }

    impl<T> AnyValue<T> for Returned<'_, T> {
        fn step_outcome(&self) -> StepOutcome
        where
            T: Serialize,
        {
            complete(self.0, self.1)
        }
    }

    /// Turns a handler's error into a [`StepError`]: an error that converts into one decides whether it is
    /// permanent, and every other is retryable. An inherent method takes precedence over the trait's.
    #[derive(Debug)]
    pub struct Failed<E>(pub E);

    impl<E: Into<StepError>> Failed<E> {
        pub fn into_step_error(self) -> StepError {
            self.0.into()
        }
    }

    pub trait AnyError<E> {
        fn into_step_error(self) -> StepError
        where
            E: HandlerError;
    }

    impl<E> AnyError<E> for Failed<E> {
        fn into_step_error(self) -> StepError
        where
            E: HandlerError,
        {
            StepError::from_any(self.0.into_box())
        }
    }

    /// A parameter whose type is called `State`. An inherent method takes precedence over the trait's: for
    /// Tasker's own `State` it asks for nothing but what that needs.
    #[derive(Debug)]
    pub struct StateParameter<T>(PhantomData<T>);

    /// Where the value of such a parameter comes from.
    #[derive(Debug)]
    pub struct StateSource<T> {
        pub from_step: fn(&StepContext) -> Result<T, StepError>,
        pub requires: fn() -> Vec<StateRequirement>,
    }

    impl<T> StateParameter<T> {
        pub const NEW: Self = Self(PhantomData);
    }

    impl<T> StateParameter<State<T>> {
        pub fn source(&self) -> StateSource<State<T>>
        where
            State<T>: FromStep,
        {
            StateSource { from_step: State::from_step, requires: State::<T>::requires }
        }
    }

    /// A type that is called `State`, but is not Tasker's.
    #[diagnostic::on_unimplemented(
        message = "[TSK310] `{Self}` is not the `State` of Tasker",
        label = "the `State` of another crate",
        note = "a step handler takes `tasker::State<T>`: write `use tasker::State;` in place of the other \
                import, or `tasker::State<T>` here"
    )]
    pub trait OtherState: Sized {
        fn source() -> StateSource<Self>;
    }

    #[diagnostic::do_not_recommend]
    impl<T: FromStep> OtherState for T {
        fn source() -> StateSource<Self> {
            StateSource { from_step: T::from_step, requires: T::requires }
        }
    }

    pub trait AnyState<T> {
        fn source(&self) -> StateSource<T>
        where
            T: OtherState;
    }

    impl<T> AnyState<T> for StateParameter<T> {
        fn source(&self) -> StateSource<T>
        where
            T: OtherState,
        {
            T::source()
        }
    }

    /// The outcome of a handler that returned `value`.
    pub fn complete<T: Serialize>(value: &T, context: &StepContext) -> StepOutcome {
        context.outcome(value)
    }

    /// Runs a function that is not async on the blocking pool, inside the caller's span.
    ///
    /// # Panics
    ///
    /// When the function does.
    pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let span = tracing::Span::current();
        let running = RunningFunction::begin();
        let work = move || {
            let _running = running;
            span.in_scope(work)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: this future is not polled again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
