//! What makes two tasks the same.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tasker_store::{Identity, Json};
use tasker_template::TaskTemplate;

use crate::client::new_task::IdentityStrategy;

/// The hash that identifies a task; `None` when the strategy allows any number of the same tasks.
pub(crate) fn hash(template: &TaskTemplate, strategy: &IdentityStrategy, context: &Json) -> Option<Identity> {
    let (kind, text) = match strategy {
        IdentityStrategy::AlwaysUnique => return None,
        IdentityStrategy::Strict => ("strict", canonical(context)),
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

/// Whether two contexts are the same, apart from the order of keys and white space.
pub(crate) fn same(one: &Json, other: &Json) -> bool {
    one == other || canonical(one) == canonical(other)
}

/// The context with its keys sorted at every level.
fn canonical(context: &Json) -> String {
    // serde_json keeps objects sorted by key; a JSON text can always be read.
    context.to::<Value>().map_or_else(|_| context.get().to_owned(), |value| sorted(&value).to_string())
}

/// The value with its keys sorted. `serde_json` does not sort them if another crate has turned on its feature
/// `preserve_order`.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            keys.into_iter().map(|key| (key.clone(), sorted(&fields[key]))).collect()
        }
        other => other.clone(),
    }
}
