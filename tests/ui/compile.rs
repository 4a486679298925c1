//! What `#[step_handler]` says to what it does not take (`fail`), and `workflow!` with `#[derive(WorkflowInput)]`
//! (`workflow`). What they take is in `accepted.rs`: one case here that is to compile and run would have trybuild build
//! and link each case alone, in place of checking all of them at once.

/// The pinned toolchain keeps the messages stable. After a change, `TRYBUILD=overwrite cargo test
/// -p tasker-ui --test compile` writes them anew; read each as the person who gets it.
#[test]
fn handlers() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*.rs");
    cases.compile_fail("workflow/*.rs");
}
