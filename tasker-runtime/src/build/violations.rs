//! The violations of a schema by a value.

use std::fmt;

use serde::Serialize;

/// One way in which a value does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// The place within the value, as a JSON pointer: `/items/3/price`; empty for the value itself.
    pub pointer: String,
    /// What is wrong there. Values are not quoted: they may be large or confidential.
    pub reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "`{}`: {}", self.pointer, self.reason)
        }
    }
}

/// Every way in which a value does not fit its schema; there is at least one.
///
/// ```
/// use tasker::{Error, NewTask, StepContext, StepResult, Tasker, error::ContextError};
///
/// const TEMPLATE: &str = "
/// name: order
/// namespace_name: docs
/// version: 1.0.0
/// input_schema:
///   type: object
///   properties: {amount: {type: number, minimum: 0}}
///   required: [id]
/// steps:
///   - name: charge
///     handler: {callable: ChargeOrder}
/// ";
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let builder = Tasker::builder().template_str("order.yaml", TEMPLATE).store_url("memory:");
/// let builder = builder.handler_fn("ChargeOrder", |_: StepContext| async { StepResult::Ok(()) });
/// let tasker = builder.build().await?;
/// let context = serde_json::json!({ "amount": -1 });
/// match tasker.create_task(NewTask::new("docs", "order", &context)).await {
///     Err(Error::InvalidContext(ContextError::Schema(violations))) => {
///         let pointers: Vec<_> = violations.iter().map(|one| one.pointer.as_str()).collect();
///         assert_eq!(pointers, ["", "/amount"]);
///     }
///     other => panic!("{other:?}"),
/// }
/// # tasker.shutdown().await;
/// # Ok::<(), tasker::BuildError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violations {
    violations: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// The first violations, and the number of the others.
    #[cfg(feature = "schemas")]
    pub(crate) fn new(violations: Vec<Violation>, more: usize) -> Self {
        Self { violations, more }
    }

    /// A violation that concerns the whole value.
    pub(crate) fn one(reason: String) -> Self {
        Self { violations: vec![Violation { pointer: String::new(), reason }], more: 0 }
    }

    /// The first twenty violations, in the order of their pointers.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.violations.iter()
    }

    /// The number of violations beyond those twenty.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// All in one line, with `; ` in between.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.violations.iter().enumerate() {
            write!(f, "{}{one}", if index == 0 { "" } else { "; " })?;
        }
        if self.more > 0 {
            write!(f, "; {} more", self.more)?;
        }
        Ok(())
    }
}
