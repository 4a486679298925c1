//! Seals [`Store`](crate::Store): a type can be a store only if it implements [`Sealed`] as well.

/// Marks a type that may be a store. Implement it for a store of your own in one line. The trait `Store` is
/// exempt from semantic versioning: each version may require more of that store.
pub trait Sealed {}
