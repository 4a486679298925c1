//! Processes that write down themselves what they do, and what must hold of it whatever kills them.

pub mod check;
pub mod ledger;
pub mod twin;
pub mod work;
