//! How types are compared between a workflow's steps, its input and its handlers. The traits exist for their
//! compiler messages. Names are known to them by their hash, because a text cannot be a parameter of a type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::task::{OutputError, Task};
use crate::handler::StepHandler;
use crate::workflow::verify::compared::ALL;

/// The handler at a place of the list.
pub trait Nth<const INDEX: usize> {
    /// The handler.
    type Handler: StepHandler;
}

/// A step of the workflow, by the hash of its name.
pub trait StepOutput<const NAME: u64> {
    /// A type that is called as the step, for messages.
    type Step;
    /// What the step's handler returns.
    type Output;
}

/// Holds when the types of the steps that a handler reads by name are those that their handlers return.
///
/// `#[step_handler]` implements it.
///
/// `COMPARED` is 2 for all such steps, 1 for those that the handler must have where another one is not there, and 0
/// for none.
pub trait FitsSteps<W, const COMPARED: u8 = ALL> {}

/// Holds when the types of the fields that a handler takes are those of the workflow's input.
///
/// `#[step_handler]` implements it.
///
/// `COMPARED` is 2 for all such fields, 1 for those that the handler must have, and 0 for none.
pub trait FitsInput<I, const COMPARED: u8 = ALL> {}

/// Holds when a parameter of this type accepts the output `O` of the step `S`.
#[diagnostic::on_unimplemented(
    message = "[TSK210] handler `{H}` reads step `{S}` as `{Self}`, but the step's handler returns `{O}`",
    label = "this handler reads a step as a type that it does not return",
    note = "take `{O}`; or say that another view of the result is meant: `#[depends_on(\"step\", view)]`"
)]
pub trait StepView<H, S, O> {}

impl<H, S, O> StepView<H, S, O> for O {}

/// Holds when an optional parameter of this type accepts the output `O` of the step `S`.
#[diagnostic::on_unimplemented(
    message = "[TSK210] handler `{H}` reads step `{S}` as `{Self}`, but the step's handler returns `{O}`",
    label = "this handler reads a step as a type that it does not return",
    note = "take `Option<{O}>`; or say that another view of the result is meant: `#[depends_on(\"step\", view)]`"
)]
pub trait OptionalStepView<H, S, O> {}

impl<H, S, O> OptionalStepView<H, S, O> for Option<O> {}
impl<H, S, T> OptionalStepView<H, S, Option<T>> for Option<T> {}

/// The fields of a workflow's input. Derive it, so that `workflow!` can compare them with what handlers take.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tasker::WorkflowInput;
///
/// #[derive(Serialize, Deserialize, WorkflowInput)]
/// struct Signup {
///     email: String,
///     #[serde(rename = "plan")]
///     wanted_plan: Option<String>,
/// }
/// assert_eq!(Signup::FIELDS, ["email", "plan"]);
/// ```
///
/// The derive follows serde's `rename` and `rename_all`. It refuses attributes with which the struct or a field is
/// written in another form: `transparent`, `into`, `tag`, `flatten`, `with`, `serialize_with`, `skip` and
/// `skip_serializing`. In a crate that names `tasker` otherwise, write `#[tasker(crate = name)]` on the struct.
#[diagnostic::on_unimplemented(
    message = "[TSK216] the fields of `{Self}` are not known to `workflow!`",
    label = "this type does not say its fields",
    note = "write `#[derive(tasker::WorkflowInput)]` on it"
)]
pub trait WorkflowInput {
    /// The names of its fields in JSON.
    const FIELDS: &'static [&'static str];
    /// The type's name.
    const NAME: &'static str;
}

/// A field of the input, by the hash of its name.
pub trait InputField<const NAME: u64> {
    /// A type that is called as the field, for messages.
    type Name;
    /// The field's type.
    type Type;
}

/// Holds when a parameter of this type accepts the field `N` of the input `I`.
#[diagnostic::on_unimplemented(
    message = "[TSK212] handler `{H}` takes the field `{N}` as `{Self}`, but in `{I}` it is `{T}`",
    label = "this handler takes a field as a type that the input does not have",
    note = "take `{T}`; or say that another view of the field is meant: `#[input(\"field\", view)]`"
)]
pub trait FieldView<H, I, N, T> {}

impl<H, I, N, T> FieldView<H, I, N, T> for T {}

/// Holds when an optional parameter of this type accepts the field `N` of the input `I`.
#[diagnostic::on_unimplemented(
    message = "[TSK212] handler `{H}` takes the field `{N}` as `{Self}`, but in `{I}` it is `{T}`",
    label = "this handler takes a field as a type that the input does not have",
    note = "take `Option<{T}>`; or say that another view of the field is meant: `#[input(\"field\", view)]`"
)]
pub trait OptionalFieldView<H, I, N, T> {}

impl<H, I, N, T> OptionalFieldView<H, I, N, T> for Option<T> {}
impl<H, I, N, T> OptionalFieldView<H, I, N, Option<T>> for Option<T> {}

/// Where a workflow names the type of its input.
pub trait InputOf {
    /// The type.
    type Input;
}

/// The input of a workflow that names no type for it: any value that can be written as JSON.
pub trait AnyInput: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> AnyInput for T {}

/// [`FitsSteps`] for `workflow!`: with one implementation, the compiler has no others to list in its errors.
pub trait ComparedSteps<W, const COMPARED: u8> {
    /// Naming this constant makes the compiler check that the trait holds.
    const HOLDS: () = ();
}

impl<H: FitsSteps<W, COMPARED>, W, const COMPARED: u8> ComparedSteps<W, COMPARED> for H {}

/// [`FitsInput`] for `workflow!`: with one implementation, the compiler has no others to list in its errors.
pub trait ComparedInput<I, const COMPARED: u8> {
    /// Naming this constant makes the compiler check that the trait holds.
    const HOLDS: () = ();
}

impl<H: FitsInput<I, COMPARED>, I, const COMPARED: u8> ComparedInput<I, COMPARED> for H {}

/// Holds when the result of the step `S` can be read back from the store.
#[diagnostic::on_unimplemented(
    message = "[TSK213] the result `{Self}` of step `{S}` cannot be read back",
    label = "this workflow has a step whose result is not `Deserialize`",
    note = "derive `serde::Deserialize` for `{Self}`; a result is an owned type: `String` in place of `&str`"
)]
pub trait ReadBack<S>: Sized {
    /// The result of a step of the task.
    ///
    /// # Errors
    ///
    /// When the step has no result, or one of another form.
    fn read_back(task: &Task, step: &str) -> Result<Self, OutputError>;
}

#[diagnostic::do_not_recommend]
impl<S, T: DeserializeOwned> ReadBack<S> for T {
    fn read_back(task: &Task, step: &str) -> Result<Self, OutputError> {
        task.step_output(step)
    }
}
