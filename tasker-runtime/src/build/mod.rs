//! From a description to a runtime: templates, handlers, states and a store, checked at once.

pub(crate) mod bind;
pub(crate) mod builder;
pub(crate) mod check;
mod configs;
pub(crate) mod described;
pub(crate) mod fault;
pub(crate) mod handlers;
pub(crate) mod load;
pub(crate) mod location;
pub(crate) mod migration;
pub(crate) mod outline;
pub(crate) mod payload_limits;
mod range;
pub(crate) mod registry;
pub(crate) mod report;
#[cfg(feature = "schemas")]
pub(crate) mod schema;
#[cfg(not(feature = "schemas"))]
#[path = "no_schema.rs"]
pub(crate) mod schema;
pub(crate) mod start;
pub(crate) mod template_schema;
pub(crate) mod violations;
