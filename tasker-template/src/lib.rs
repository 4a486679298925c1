//! Task templates of Tasker: YAML in, a checked [`TaskTemplate`] and its [`Plan`] out.
//!
//! [`load_str`] and [`load_file`] read both dialects of the format, report every fault of a file at
//! once, each with its place, and fill in every default. This crate runs nothing and reads nothing
//! but the file that it is given.

mod bounds;
mod check;
pub mod contract;
mod diagnostic;
mod draw;
mod fault_kind;
mod fields;
mod graph;
mod identifier;
mod load;
mod name_hash;
mod node;
mod number;
mod plan;
mod read;
mod schema;
mod source;
mod suggest;
mod template;
mod version;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, Span};
pub use draw::{dot, mermaid, rails, text};
pub use fault_kind::{FaultKind, FaultNumber};
pub use graph::{Graph, StepIndex};
pub use identifier::{camel_case_names, namespace_of, snake_case_names};
pub use load::{
    LoadedTemplate, MAX_BYTES, TemplateDraft, load_file, load_str, read_file, read_str, template_files,
};
pub use name_hash::name_hash;
pub use plan::{Plan, PlanError};
pub use schema::{HandlerEntry, TemplateSchema};
pub use source::Source;
pub use suggest::nearest;
pub use template::{
    Backoff, BatchConfig, DEFAULT_METHOD, Environment, EventTemplate, FailureStrategy, HandlerTemplate,
    Lifecycle, RetryPolicy, StepOverride, StepTemplate, StepType, TaskTemplate,
};
pub use version::compare_versions;
