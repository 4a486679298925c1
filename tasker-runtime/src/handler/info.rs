//! What can be told of a handler without its type.

use crate::handler::{CodeLocation, Dependency};

/// A handler that a program has; see [`Builder::handlers`](crate::Builder::handlers).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// What a template's `handler.callable` says to have it run a step.
    pub callable: String,
    /// What `handler.method` says; `call` unless the handler has another.
    pub method: String,
    /// The name of its function, or the callable of a closure.
    pub name: String,
    /// The place of its source code; a closure has none.
    pub location: Option<CodeLocation>,
    /// The steps whose results it reads; `None` for a closure, which may read those of all ancestors.
    pub depends_on: Option<&'static [Dependency]>,
}
