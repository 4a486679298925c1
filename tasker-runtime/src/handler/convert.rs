//! What the code that `#[step_handler]` writes calls. The traits here exist for their messages.

use crate::step_error::BoxError;

/// That a parameter takes what the handler `H` returns.
#[diagnostic::on_unimplemented(
    message = "dependency `{H}` returns `{Self}`, but this parameter expects `{T}`",
    label = "expected `{Self}`",
    note = "take a `{Self}`, or name the step in quotes to read another view of its result: `#[depends_on(\"step\")]`"
)]
pub trait DependencyOutput<H, T> {}

impl<H, T> DependencyOutput<H, T> for T {}

/// That an optional parameter takes what the handler `H` returns.
#[diagnostic::on_unimplemented(
    message = "dependency `{H}` returns `{Self}`, but this parameter expects `{T}`",
    label = "expected `Option<{Self}>`",
    note = "take an `Option<{Self}>`, or name the step in quotes to read another view of its result: `#[depends_on(\"step\")]`"
)]
pub trait OptionalDependencyOutput<H, T> {}

impl<H, T> OptionalDependencyOutput<H, Option<T>> for T {}
impl<H, T> OptionalDependencyOutput<H, Option<T>> for Option<T> {}

/// What a handler may return as an error: anything that converts into a `StepError`, or into a boxed error.
#[diagnostic::on_unimplemented(
    message = "a step handler cannot fail with `{Self}`",
    label = "not an error that can be recorded",
    note = "return `Result<_, StepError>`, or implement `From<{Self}> for StepError` or `std::error::Error for {Self}`"
)]
pub trait HandlerError {
    /// The error in a box.
    fn into_box(self) -> BoxError;
}

impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}

/// Not for people: what the macro calls.
#[doc(hidden)]
pub(crate) mod private {
    use std::fmt::Write as _;
    use std::marker::PhantomData;

    use serde::Serialize;
    use validator::{Validate, ValidationErrors, ValidationErrorsKind};

    use crate::handler::context::INVALID_INPUT;
    use crate::handler::{
        DependencyOutput, HandlerError, OptionalDependencyOutput, StepHandler, StepOutcome,
    };
    use crate::json::Json;
    use crate::step_error::StepError;

    pub use inventory;

    /// Compiles when `T` is what the handler returns.
    pub fn check_dependency<H: StepHandler<Output: DependencyOutput<H, T>>, T>() {}

    /// Compiles when `T` is an `Option` of what the handler returns.
    pub fn check_optional_dependency<H: StepHandler<Output: OptionalDependencyOutput<H, T>>, T>() {}

    /// Compiles when a handler may return a `T`.
    pub fn check_output<T: Serialize>() {}

    /// What a handler's return type comes to.
    pub trait Return {
        /// The type of its result.
        type Output;
    }

    impl<T, E> Return for Result<T, E> {
        type Output = T;
    }

    /// `IS_RESULT` of `Probe<T>`: an inherent constant wins over the trait's.
    #[derive(Debug)]
    pub struct Probe<T>(PhantomData<T>);

    impl<T, E> Probe<Result<T, E>> {
        pub const IS_RESULT: bool = true;
    }

    pub trait NotResult {
        const IS_RESULT: bool = false;
    }

    impl<T> NotResult for Probe<T> {}

    /// Validates a type that derives `Validate`, and passes every other: an inherent method wins
    /// over the trait's.
    #[derive(Debug)]
    pub struct Validated<'a, T>(pub &'a T);

    impl<T: Validate> Validated<'_, T> {
        pub fn check(&self, what: &str) -> Result<(), StepError> {
            self.0.validate().map_err(|errors| invalid(what, &errors))
        }
    }

    pub trait Unvalidated {
        fn check(&self, _what: &str) -> Result<(), StepError> {
            Ok(())
        }
    }

    impl<T> Unvalidated for Validated<'_, T> {}

    fn invalid(what: &str, errors: &ValidationErrors) -> StepError {
        let mut faults = Vec::new();
        collect("", errors, &mut faults);
        faults.sort();
        let mut message = format!("{what} is invalid: ");
        for (index, (field, fault, _)) in faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let _ = write!(message, "{separator}`{field}` {fault}");
        }
        let fields: serde_json::Map<_, _> = faults
            .into_iter()
            .map(|(field, fault, code)| (field, serde_json::json!({ "code": code, "message": fault })))
            .collect();
        StepError::permanent(message).code(INVALID_INPUT).context(serde_json::json!({ "fields": fields }))
    }

    fn collect(prefix: &str, errors: &ValidationErrors, faults: &mut Vec<(String, String, String)>) {
        for (field, kind) in errors.errors() {
            let path = if prefix.is_empty() { field.to_string() } else { format!("{prefix}.{field}") };
            match kind {
                ValidationErrorsKind::Field(errors) => faults.extend(errors.iter().map(|error| {
                    let message = error
                        .message
                        .as_ref()
                        .map_or_else(|| format!("fails the check `{}`", error.code), ToString::to_string);
                    (path.clone(), message, error.code.to_string())
                })),
                ValidationErrorsKind::Struct(inner) => collect(&path, inner, faults),
                ValidationErrorsKind::List(items) => {
                    for (index, inner) in items {
                        collect(&format!("{path}[{index}]"), inner, faults);
                    }
                }
            }
        }
    }

    /// Turns a handler's error into a [`StepError`]: one that converts decides for itself whether it
    /// is permanent, and every other is retryable. An inherent method wins over the trait's.
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

    /// The outcome of a handler that returned `value`.
    pub fn complete<T: Serialize + ?Sized>(value: &T) -> StepOutcome {
        match Json::from_value(value) {
            Ok(json) => StepOutcome::Complete(json),
            Err(error) => {
                let message = format!("the handler's result cannot be written as JSON: {error}");
                StepOutcome::Fail(StepError::permanent(message).code("INVALID_RESULT"))
            }
        }
    }

    /// Runs a function that is not async where it may block.
    ///
    /// # Panics
    ///
    /// When the function does.
    pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        match tokio::task::spawn_blocking(work).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and nothing will poll this again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
