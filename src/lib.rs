//! Workflows declared in YAML, step handlers as typed async functions, durable in your own process.
pub use tasker_runtime::*;
