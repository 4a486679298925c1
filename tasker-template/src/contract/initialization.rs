//! Changes of the configuration of a step's handler.

use serde_json::{Map, Value};

use crate::contract::change::{Breaks, ChangeKind};
use crate::contract::{At, Comparison};

/// How a key differs.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Added,
    Removed,
    /// Its value is of another type.
    OtherType,
    OtherValue,
}

impl Comparison<'_, '_> {
    /// Adds the changes of the configuration of one step, which messages call `whose`.
    pub(super) fn compare_initialization(
        &mut self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        (whose, prefix): (&str, &str),
        at: &At,
    ) {
        let mut keys = Vec::new();
        collect(before, after, at, "", &mut keys);
        for (key, how, on) in keys {
            let (breaks, what) = match how {
                Key::Added => (
                    Breaks::TASKS_IN_FLIGHT,
                    "is new; a handler that insists on it fails in tasks in flight, which do not have it",
                ),
                Key::OtherType => (
                    Breaks::TASKS_IN_FLIGHT,
                    "is of another type; a handler that reads the new one fails in tasks in flight, which \
                     have the old one",
                ),
                Key::Removed => (Breaks::NOTHING, "is gone"),
                Key::OtherValue => (Breaks::NOTHING, "has another value; tasks in flight keep the old one"),
            };
            let message = format!("{prefix}`{key}` of the initialization of step `{whose}` {what}");
            self.add(ChangeKind::Initialization, breaks, &on, message);
        }
    }
}

fn collect(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    at: &At,
    within: &str,
    found: &mut Vec<(String, Key, At)>,
) {
    let name_of = |key: &str| if within.is_empty() { key.to_owned() } else { format!("{within}.{key}") };
    for (key, old) in before {
        let (name, at) = (name_of(key), at.key(key));
        match (old, after.get(key)) {
            (_, None) => found.push((name, Key::Removed, At { after: None, ..at })),
            (old, Some(new)) if old == new => {}
            (Value::Object(old), Some(Value::Object(new))) => collect(old, new, &at, &name, found),
            (old, Some(new)) if kind_of(old) == kind_of(new) => found.push((name, Key::OtherValue, at)),
            (_, Some(_)) => found.push((name, Key::OtherType, at)),
        }
    }
    for key in after.keys().filter(|key| !before.contains_key(*key)) {
        found.push((name_of(key), Key::Added, At { before: None, ..at.key(key) }));
    }
}

/// The type of a value as a handler sees it: `5` can be read as a float, and `5.5` as no integer.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "mapping",
    }
}
