//! What `#[step_handler]` takes, and what it says to everything else.

/// The pinned toolchain keeps the messages stable. After a change, `TRYBUILD=overwrite cargo test
/// --test compile` writes them anew; read each as the person who gets it.
#[test]
fn handlers() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
