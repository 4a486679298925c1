//! Workflows declared in YAML, step handlers as typed async functions, durable in your own process.
//!
//! This crate is the whole of Tasker under one name: the [runtime](tasker_runtime), the
//! [templates](template), and the [command line](cli) as a library.
//!
//! ```
//! use tasker::prelude::*;
//!
//! #[step_handler("Greeter")]
//! async fn greet(#[input("name")] name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! #[step_handler("Shouter")]
//! async fn shout(#[depends_on(greet)] greeting: String) -> String {
//!     greeting.to_uppercase()
//! }
//!
//! const TEMPLATE: &str = "
//! name: greeting
//! namespace_name: docs
//! version: 1.0.0
//! steps:
//!   - name: greet
//!     handler: {callable: Greeter}
//!   - name: shout
//!     handler: {callable: Shouter}
//!     dependencies: [greet]
//! ";
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tasker = Tasker::builder().template_str("greeting.yaml", TEMPLATE).store_url("memory:").build().await?;
//! let id = tasker.create_task(NewTask::new("docs", "greeting", &serde_json::json!({ "name": "Ada" }))).await?;
//! let task = tasker.wait(id).await?;
//! assert_eq!(task.output::<shout>()?, "HELLO, ADA!");
//! # tasker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Testing
//!
//! `tasker::testing` tests one handler, or a whole template in virtual time, where a backoff of half an hour
//! passes in milliseconds. It comes with the feature `testing`, which belongs in `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! tasker = { version = "0.1", features = ["testing"] }
//! ```

#[cfg(feature = "cli")]
pub mod cli;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct TestingPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/durability.md")]
struct DurabilityPage;

pub use tasker_runtime::*;
// Instead of the runtime's own: what this one writes names `::tasker`, the only crate that most
// applications depend on.
#[doc(inline)]
pub use tasker_runtime::__private::facade_step_handler as step_handler;

/// Task templates: reading, checking, and their graph.
pub use tasker_template as template;

/// What a file of handlers needs.
pub mod prelude {
    pub use crate::step_handler;
    pub use tasker_runtime::{
        NewTask, OrStepError, State, StepContext, StepError, StepHandler, StepResult, Tasker,
    };
}
