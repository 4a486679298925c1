//! The testing kit (feature `testing`): handlers without an engine, whole templates in virtual time,
//! and crashes at every commit.
//!
//! - [`call`] runs one handler once, with a context that the test writes down.
//! - [`TestEngine`] runs a template with some of its steps replaced. Time is virtual: a backoff of half
//!   an hour passes in milliseconds.
//! - [`TestRun`] is what came of it, and asserts with the whole history in its messages.
//! - [`TestEngine::crash_everywhere`] lets the worker die at every commit of a run, one after the other.
//!
//! Everything here panics where a test should fail.
//!
//! ```
//! use tasker::testing::{TestEngine, call};
//! use tasker::{StepError, step_handler};
//!
//! #[step_handler("Docs::Double")]
//! async fn double(#[input("number")] number: u64) -> u64 {
//!     number * 2
//! }
//!
//! // One handler.
//! let doubled = call::<double>().input(serde_json::json!({"number": 4})).run_blocking();
//! assert_eq!(doubled.unwrap(), 8);
//!
//! // A whole template, whose first attempt fails.
//! const TEMPLATE: &str = "
//! name: numbers
//! namespace_name: docs
//! version: 1.0.0
//! steps:
//!   - name: double
//!     handler: {callable: Docs::Double}
//! ";
//! let run = TestEngine::template_str("numbers.yaml", TEMPLATE)
//!     .fails("double", [StepError::retryable("not yet")])
//!     .run_blocking(serde_json::json!({"number": 4}));
//! run.assert_complete();
//! assert_eq!(run.order(), ["double#1", "double#2"]);
//! assert_eq!(run.output::<double>(), 8);
//! ```

mod call_values;
mod crash;
mod history;
mod one_step;
mod running;
mod stage;
#[cfg(feature = "sqlite")]
mod tables;
mod test_engine;
mod test_run;
mod world;

use tokio::time::Instant;

pub use crash::{Crash, CrashPoint};
pub use one_step::{Call, call};
pub(crate) use stage::Stage;
pub use stage::{Target, handler};
pub use test_engine::TestEngine;
pub use test_run::TestRun;

/// The name of a handler's function, without its path.
fn short_name<H>() -> &'static str {
    let name = std::any::type_name::<H>();
    name.rsplit("::").next().unwrap_or(name)
}

/// Runs a future to its end on this thread, in a runtime of its own with virtual time.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap_or_else(|error| panic!("the test's runtime cannot start: {error}")).block_on(future)
}

/// Fails a test whose time is not virtual: it would really wait for its backoffs.
#[track_caller]
fn require_virtual_time() {
    let (begun, machine) = (Instant::now(), std::time::Instant::now());
    // Virtual time stands still while something runs.
    while machine.elapsed().is_zero() {
        std::hint::spin_loop();
    }
    assert!(
        Instant::now() == begun,
        "time is not paused: write `#[tokio::test(start_paused = true)]`, or a plain `#[test]` that calls \
         the method whose name ends in `_blocking`"
    );
}
