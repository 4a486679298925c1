//! The state machine of one task, which every store shares.
//!
//! It has two levels. A *node* is a step of the template; the rules of the graph are about nodes. A *run* is
//! one line of execution of a node: an ordinary step has one run, a step with several runs has those that an
//! analyzer asked for. A node is done when its last run is done.
//!
//! A store applies an operation to a [`Progress`], passes it the graph, and writes down what has changed.
//! The state of a node that has not been reached follows from the nodes that are done. Such a node is
//! therefore not stored; a node that waits for several others has a counter here, in memory only.

mod node;
mod nodes;
mod operate;
mod rank;
mod repair;
mod restore;
mod run;
mod runs;
mod task;

pub use rank::{rank, ready_at};
pub use restore::{EndedAttempt, TaskRow};
pub use run::{Change, RunProgress};
pub use task::{Moved, Progress};
