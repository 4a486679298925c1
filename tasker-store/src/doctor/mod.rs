//! Whether a store keeps its own rules: what `doctor` looks at, and what it finds.
//!
//! A store hands out the facts ([`TaskFacts`]) as its rows have them, page by page, each page as of one moment.
//! What is wrong with them is decided here, by one set of rules for all stores, which derives everything anew
//! from the attempts that are recorded and from the graph. What only one store can have, such as an index that
//! is missing, it finds itself ([`Store::inspect`](crate::Store::inspect)).

mod check;
mod claims;
mod facts;
mod finding;
mod run_check;

pub use check::check;
pub use claims::{Suspect, claims, claims_in_passing, suspects};
pub use facts::{Facts, FactsRequest, RunFacts, TaskFacts, TemplateFacts, Unreadable, WorkerFacts};
pub use finding::{Finding, FindingKind, Repair};
