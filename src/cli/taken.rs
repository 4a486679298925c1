//! Names that neither a generated crate nor a generated function can have.

/// The crates and modules that generated code refers to, and the keywords of paths.
pub(super) const IN_PATHS: [&str; 12] = [
    "alloc",
    "core",
    "crate",
    "self",
    "serde",
    "serde_json",
    "std",
    "super",
    "tasker",
    "test",
    "tests",
    "tokio",
];
