//! Keeps others from implementing [`Store`](crate::Store) unless they have read that it is exempt from
//! semantic versioning.

/// A type that may be a store. Implement it for a store of your own in one line, and expect every version of
/// this crate to ask more of that store.
pub trait Sealed {}
