//! `#[step_handler]`; use it through `tasker` or `tasker-runtime`.

mod args;
mod check;
mod errors;
mod expand;
mod fallback;
mod model;

use proc_macro::TokenStream;

use args::Args;
use errors::Errors;
use model::Handler;

/// Makes a function a step handler, and registers it under a callable.
///
/// The function stays as it is. Beside it stands a type of the same name that implements
/// `StepHandler`, so that another handler's `#[depends_on(name)]` can refer to it.
///
/// # Arguments
///
/// | written | meaning |
/// | --- | --- |
/// | `"callable"` | what the template's `handler.callable` says; required |
/// | `method = "name"` | what the template's `handler.method` says, for callables with several entry points |
/// | `crate = path` | where `tasker_runtime` or `tasker` is, when it has been renamed |
///
/// # Parameters
///
/// | written | what the parameter receives |
/// | --- | --- |
/// | `#[input] x: T` | the task's context; validated when `T` derives `validator::Validate` |
/// | `#[input("field")] x: T` | one field of the context; `Option<T>` when it may be missing |
/// | `#[depends_on(handler)] x: T` | the result of the step that has the handler's name; `T` must be what that handler returns |
/// | `#[depends_on(handler, step = "name")] x: T` | the same, where the template calls the step otherwise |
/// | `#[depends_on("step")] x: T` | the result of a step, read as any `T` |
/// | `State(x): State<T>` | a value that the application gave to the builder |
/// | `x: StepContext` | ids, attempt number, idempotency key, configuration, cancellation |
///
/// `Option<T>` for a dependency that may not have run; `&T` where the function only looks.
///
/// # Result
///
/// A plain value, or a `Result` with any error. An error that converts into `StepError` decides
/// itself whether it is permanent; every other is retryable. A function that is not async runs on
/// the blocking pool.
///
/// ```
/// use tasker_runtime::{StepError, step_handler};
///
/// #[step_handler("Accounts::Create")]
/// async fn create_account(#[input("email")] email: String) -> Result<String, StepError> {
///     match email.contains('@') {
///         true => Ok(format!("account of {email}")),
///         false => Err(StepError::permanent("no e-mail address").code("INVALID_EMAIL")),
///     }
/// }
///
/// #[step_handler("Accounts::Welcome")]
/// async fn welcome(#[depends_on(create_account)] account: String) -> String {
///     format!("Welcome, {account}")
/// }
/// ```
#[proc_macro_attribute]
pub fn step_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args.into(), &mut errors);
    match Handler::parse(item.into(), &mut errors) {
        Ok(handler) => {
            check::rules(&handler, &mut errors);
            match errors.into_compile_errors() {
                None => expand::handler(&args, &handler),
                Some(messages) => fallback::handler(&args, &handler, messages),
            }
        }
        Err(item) => fallback::item(item, errors),
    }
    .into()
}
