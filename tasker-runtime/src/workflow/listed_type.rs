//! A path of the list as a type. When that is no handler, another takes its place, so that this is one error.

use std::marker::PhantomData;

use crate::handler::{CodeLocation, Dependency, StateRequirement, StepContext, StepFuture, StepHandler};
use crate::workflow::types::{FitsInput, FitsSteps};

/// Whether a type is a handler. The constant of the type itself takes precedence over the trait's.
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl<H: StepHandler> Probe<H> {
    /// It is.
    pub const IS_HANDLER: bool = true;
}

/// Every other type.
pub trait AnyType {
    /// It is not.
    const IS_HANDLER: bool = false;
}

impl<T> AnyType for Probe<T> {}

/// The listed type, or the handler in its place.
#[derive(Debug)]
pub struct Choose<T, const IS_HANDLER: bool>(PhantomData<T>);

/// What is chosen.
pub trait Choice {
    /// The handler.
    type Handler: StepHandler;
}

impl<H: StepHandler> Choice for Choose<H, true> {
    type Handler = H;
}

impl<T> Choice for Choose<T, false> {
    type Handler = NoHandler;
}

/// Holds for handlers.
#[diagnostic::on_unimplemented(
    message = "[TSK215] `{Self}` is not a step handler",
    label = "not a step handler",
    note = "list a function that has `#[step_handler(\"…\")]`; the methods of a struct are listed by the module of \
            their handlers: `payments::call` for `impl Payments`"
)]
pub trait IsHandler {}

#[diagnostic::do_not_recommend]
impl<H: StepHandler> IsHandler for H {}

/// Naming this function makes the compiler check that the type is a handler.
pub const fn is_handler<H: IsHandler + ?Sized>() {}

/// The handler in the place of a type that is none.
#[derive(Debug)]
pub enum NoHandler {}

impl StepHandler for NoHandler {
    const CALLABLE: &'static str = "";
    const METHOD: &'static str = "";
    const DEPENDS_ON: &'static [Dependency] = &[];
    const LOCATION: CodeLocation = CodeLocation { file: "", line: 0 };
    type Output = ();

    fn requires() -> Vec<StateRequirement> {
        Vec::new()
    }

    fn call(_: StepContext) -> StepFuture {
        unreachable!("a program with a type in the place of a handler does not compile")
    }
}

impl<W, const COMPARED: u8> FitsSteps<W, COMPARED> for NoHandler {}
impl<I, const COMPARED: u8> FitsInput<I, COMPARED> for NoHandler {}
