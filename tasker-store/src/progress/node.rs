//! A step of the template, as far as something is counted of it.

/// What is counted of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// For how many parents it waits, once that has been counted.
    pub(super) waiting_for: Option<u32>,
    /// How many of its several runs are not done; 0 for an ordinary node.
    pub(super) runs_left: u32,
}
