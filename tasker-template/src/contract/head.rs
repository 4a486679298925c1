//! Changes of what a template says besides its steps.

use serde_json::{Value, json};

use crate::contract::change::{Breaks, Change, ChangeKind};
use crate::contract::schema_changes::{Of, Schemas};
use crate::contract::{At, Comparison};

impl Comparison<'_, '_> {
    pub(super) fn compare_head(&mut self) {
        let (before, after) = (self.before.template(), self.after.template());
        if before.namespace != after.namespace {
            let message = format!(
                "the namespace is `{}`, and was `{}`: callers ask for `{}/{}`, and a worker that is limited \
                 to namespaces of the new template leaves tasks in flight alone",
                after.namespace, before.namespace, before.namespace, before.name
            );
            self.add(ChangeKind::Namespace, Breaks::BOTH, &At::top("namespace_name"), message);
        }
        if before.name != after.name {
            let message = format!(
                "the name is `{}`, and was `{}`: callers ask for `{}/{}`",
                after.name, before.name, before.namespace, before.name
            );
            self.add(ChangeKind::Name, Breaks::CALLERS, &At::top("name"), message);
        }
        if before.version != after.version {
            let message = format!(
                "the version is {}, and was {}: the same context or idempotency key makes a new task, also \
                 where version {} has one",
                after.version, before.version, before.version
            );
            self.add(ChangeKind::Version, Breaks::NOTHING, &At::top("version"), message);
        }
        if before.description != after.description {
            let message = "the description is another";
            self.add(ChangeKind::Description, Breaks::NOTHING, &At::top("description"), message);
        }
        if before.metadata != after.metadata {
            self.add(
                ChangeKind::Description,
                Breaks::NOTHING,
                &At::top("metadata"),
                "the metadata is another",
            );
        }
        if before.input_schema != after.input_schema {
            let schemas = Schemas {
                before: before.input_schema.as_ref(),
                after: after.input_schema.as_ref(),
                // Without a schema, any object is a context.
                without: json!({"type": "object"}),
                of: Of::Input,
                name: "`input_schema`".to_owned(),
            };
            self.compare_schemas(&schemas, &At::top("input_schema"));
        }
        if before.lifecycle != after.lifecycle {
            let [old, new] = [&before.lifecycle, &after.lifecycle].map(|one| json!(one));
            let changed = changed_fields(&old, &new);
            let message = format!("`lifecycle`: {changed}; tasks in flight keep their limits");
            self.add(ChangeKind::Lifecycle, Breaks::NOTHING, &At::top("lifecycle"), message);
        }
    }

    /// Tells a template that has changed under its version.
    pub(super) fn check_version(&mut self) {
        let (before, after) = (self.before.template(), self.after.template());
        let name = |template: &crate::TaskTemplate| {
            let crate::TaskTemplate { namespace, name, version, .. } = template;
            format!("{namespace}/{name}@{version}")
        };
        if self.changes.is_empty() || name(before) != name(after) {
            return;
        }
        let message = format!(
            "the version is still {}: tasks in flight keep the template that they were created with, and \
             nobody can tell the two apart; write another `version`",
            after.version
        );
        let at = At::top("version");
        let (path, message) = (at.path.clone(), message);
        let (before, after) = (self.before.place("/version"), self.after.place("/version"));
        let (kind, breaks) = (ChangeKind::VersionKept, Breaks::NOTHING);
        self.changes.insert(0, Change { kind, breaks, path, message, before, after });
    }
}

/// The fields of two objects that differ: `max_attempts 3 -> 5, backoff linear -> none`.
pub(super) fn changed_fields(before: &Value, after: &Value) -> String {
    let empty = serde_json::Map::new();
    let [old, new] = [before, after].map(|value| value.as_object().unwrap_or(&empty));
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let changed = names.filter(|name| old.get(*name) != new.get(*name));
    let changed = changed.map(|name| format!("{name} {} -> {}", text(old.get(name)), text(new.get(name))));
    changed.collect::<Vec<_>>().join(", ")
}
