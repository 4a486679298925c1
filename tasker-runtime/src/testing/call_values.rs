//! What a call is given and leaves behind besides its result.

use serde::Serialize;
use tasker_store::Json;

use crate::handler::{ResultWrites, StepHandler};
use crate::testing::one_step::Call;

impl<H: StepHandler> Call<H> {
    /// The statements that the handler adds with [`ResultWrites`], to be looked at after the call. They are not
    /// run; [`TestEngine::tables`](crate::testing::TestEngine::tables) runs them. When the attempt fails, an
    /// engine drops them. A clone of the call has its own.
    ///
    /// ```
    /// use tasker::{ResultWrites, step_handler, testing::call};
    ///
    /// #[step_handler("Docs::PayBill")]
    /// async fn pay(#[input("bill")] bill: i64, writes: ResultWrites) {
    ///     writes.add("UPDATE bills SET paid = true WHERE number = $1", [bill]);
    /// }
    ///
    /// let call = call::<pay>().input(serde_json::json!({ "bill": 7 }));
    /// let writes = call.writes();
    /// call.run_blocking().unwrap();
    /// let written = writes.statements();
    /// assert_eq!(written[0].sql, "UPDATE bills SET paid = true WHERE number = $1");
    /// assert_eq!(written[0].values, [7.into()]);
    /// ```
    #[must_use]
    pub fn writes(&self) -> ResultWrites {
        self.writes.clone()
    }
}

/// What a handler reads, for messages.
pub(super) fn reads_what<H: StepHandler>() -> String {
    let steps: Vec<_> = H::DEPENDS_ON.iter().map(|one| format!("`{}`", one.step)).collect();
    if steps.is_empty() { "it reads no step".to_owned() } else { format!("it reads {}", steps.join(", ")) }
}

/// A value of the test as JSON.
#[track_caller]
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Json {
    Json::from_value(value)
        .unwrap_or_else(|error| panic!("a value of the test cannot be written as JSON: {error}"))
}
