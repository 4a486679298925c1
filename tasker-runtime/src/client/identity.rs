//! What makes two tasks the same.

use sha2::{Digest as _, Sha256};
use tasker_store::{Identity, Json};
use tasker_template::TaskTemplate;

use crate::client::new_task::IdentityStrategy;

/// The hash that identifies a task; `None` when the strategy allows any number of the same tasks.
pub(crate) fn hash(template: &TaskTemplate, strategy: &IdentityStrategy, context: &Json) -> Option<Identity> {
    let (kind, text) = match strategy {
        IdentityStrategy::AlwaysUnique => return None,
        IdentityStrategy::Strict => ("strict", context.canonical()),
        IdentityStrategy::CallerProvided(key) => ("caller_provided", key.clone()),
    };
    let mut hash = Sha256::new();
    for part in [&template.namespace, &template.name, &template.version, kind, &text] {
        // Each field with its length before it, so that different fields never give the same bytes.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Some(hash.finalize().into())
}

/// Whether two contexts are the same, apart from the order of keys, white space, and how a number is written.
pub(crate) fn same(one: &Json, other: &Json) -> bool {
    one == other || one.canonical() == other.canonical()
}
