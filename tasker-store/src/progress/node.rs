//! The counters of a node.

/// The counters of a node: how many parents and runs are not done.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// For how many parents it waits; `None` until that has been counted.
    pub(super) waiting_for: Option<u32>,
    /// How many of its several runs are not done; 0 for an ordinary node.
    pub(super) runs_left: u32,
}
