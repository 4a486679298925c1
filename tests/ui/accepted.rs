//! What `#[step_handler]` takes: that it compiles is most of the test. A case that must be a crate of its own is a
//! test of its own in `Cargo.toml`.

#[path = "pass"]
mod cases {
    #[path = "attributes.rs"]
    pub(crate) mod attributes;
    #[path = "declared_by_a_macro.rs"]
    pub(crate) mod declared_by_a_macro;
    #[path = "dependencies.rs"]
    pub(crate) mod dependencies;
    #[path = "inputs.rs"]
    pub(crate) mod inputs;
    #[path = "patterns.rs"]
    pub(crate) mod patterns;
    #[path = "raw_identifiers.rs"]
    pub(crate) mod raw_identifiers;
    #[path = "references.rs"]
    pub(crate) mod references;
    #[path = "renamed_fields.rs"]
    pub(crate) mod renamed_fields;
    #[path = "results.rs"]
    pub(crate) mod results;
    #[path = "smallest.rs"]
    pub(crate) mod smallest;
    #[path = "states.rs"]
    pub(crate) mod states;
    #[path = "workflow.rs"]
    pub(crate) mod workflow;
}

#[test]
fn attributes() {
    cases::attributes::main();
}

#[test]
fn declared_by_a_macro() {
    cases::declared_by_a_macro::main();
}

#[test]
fn dependencies() {
    cases::dependencies::main();
}

#[test]
fn inputs() {
    cases::inputs::main();
}

#[test]
fn patterns() {
    cases::patterns::main();
}

#[test]
fn raw_identifiers() {
    cases::raw_identifiers::main();
}

#[test]
fn references() {
    cases::references::main();
}

#[test]
fn renamed_fields() {
    cases::renamed_fields::main();
}

#[test]
fn results() {
    cases::results::main();
}

#[test]
fn smallest() {
    cases::smallest::main();
}

#[test]
fn states() {
    cases::states::main();
}

#[test]
fn workflow() {
    cases::workflow::main();
}
