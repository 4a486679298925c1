//! Whole-system tests of the public API.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod store;
mod store_model;
