//! Where the steps of one task are, and what moves them: the rules that every store keeps to.
//!
//! There are two levels. A *node* is a step of the template; the rules of the graph are about nodes. A
//! *run* is one line of execution of a node: an ordinary step has one, and a step that an analyzer asked
//! several runs of has those. A node is done when its last run is.
//!
//! A store applies an operation to a [`Progress`], hands it the graph, and writes down what that changed.
//! A node that nothing has reached yet is implied by what is done, so that only counters of nodes that
//! wait for several others are kept here, and nothing of them anywhere else.

mod node;
mod nodes;
mod operate;
mod rank;
mod restore;
mod run;
mod runs;
mod task;

pub use rank::{rank, ready_at};
pub use restore::{EndedAttempt, TaskRow};
pub use run::{Change, RunProgress};
pub use task::{Moved, Progress};
