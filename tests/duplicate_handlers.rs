//! Two handlers that registered themselves under one callable.

use tasker_runtime::{Tasker, step_handler};

#[step_handler("Twice")]
async fn once() {}

mod other {
    #[tasker_runtime::step_handler("Twice")]
    async fn again() {}
}

#[tokio::test]
async fn two_handlers_of_one_callable_are_told_with_both_places() {
    let error =
        Tasker::builder().store_url("memory:").build().await.map(drop).expect_err("two handlers").to_string();
    assert!(error.contains("two handlers are registered as `Twice`"), "{error}");
    assert!(error.contains("handler `once` (tests/duplicate_handlers.rs:5)"), "{error}");
    assert!(error.contains("handler `again` (tests/duplicate_handlers.rs:9)"), "{error}");
}
