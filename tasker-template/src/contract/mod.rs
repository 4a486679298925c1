//! What changed between two templates, and whom it breaks: tasks in flight, or callers.
//!
//! A task in flight keeps the snapshot of the template that it was created with, but it goes on with the handlers of
//! the program that runs then, which were written for the new template. So it breaks where the new program has no
//! handler for it any more, where a handler reads what the snapshot does not have, and where a result does not fit
//! the snapshot's schema. Callers are those who create tasks, read their results, and name steps to steer them.
//! Whether a handler reads a thing is not written in a template: where it can, that counts as broken.

mod change;
mod environments;
mod head;
mod initialization;
mod pairs;
mod schema;
mod schema_changes;
mod steps;
mod version;

pub use change::{Breaks, Change, ChangeKind, ChangePlace};
pub use schema::{Gap, GapKind, schema_gaps};
pub use version::TemplateVersion;

use crate::contract::pairs::Pairs;
use crate::source::printable;

/// All that changed from one template to another, in the order of the parts of a template. Nothing when they are the
/// same.
///
/// ```
/// use tasker_template::contract::{Breaks, ChangeKind, TemplateVersion, diff};
///
/// let load = |version: &str, more: &str| {
///     let steps = format!("[{{name: a, handler: {{callable: A}}}}{more}]");
///     let yaml = format!("{{name: n, namespace_name: shop, version: {version}, steps: {steps}}}");
///     tasker_template::load_str(version, &yaml).unwrap()
/// };
/// let (old, new) = (load("1", ", {name: b, handler: {callable: B}}"), load("2", ""));
/// let changes = diff(&TemplateVersion::new(&old), &TemplateVersion::new(&new));
/// assert_eq!(changes.len(), 2);
/// assert_eq!((changes[0].kind, changes[0].breaks), (ChangeKind::Version, Breaks::NOTHING));
/// // The new program may have no handler for `B`, which tasks in flight ask for.
/// assert_eq!((changes[1].kind, changes[1].breaks), (ChangeKind::StepRemoved, Breaks::BOTH));
/// ```
#[must_use]
pub fn diff(before: &TemplateVersion<'_>, after: &TemplateVersion<'_>) -> Vec<Change> {
    if before.template() == after.template() {
        return Vec::new();
    }
    let mut comparison = Comparison { before, after, pairs: Pairs::new(before, after), changes: Vec::new() };
    comparison.compare_head();
    comparison.compare_steps();
    comparison.compare_environments();
    comparison.check_version();
    comparison.changes
}

/// Two templates that are compared, and what was found.
#[derive(Debug)]
struct Comparison<'c, 't> {
    before: &'c TemplateVersion<'t>,
    after: &'c TemplateVersion<'t>,
    pairs: Pairs,
    changes: Vec<Change>,
}

impl Comparison<'_, '_> {
    /// Adds a change.
    fn add(&mut self, kind: ChangeKind, breaks: Breaks, on: &At, message: impl Into<String>) {
        let before = on.before.as_ref().and_then(|pointer| self.before.place(pointer));
        let after = on.after.as_ref().and_then(|pointer| self.after.place(pointer));
        let message = printable(&message.into());
        self.changes.push(Change { kind, breaks, path: on.path.clone(), message, before, after });
    }
}

/// What a change is about.
#[derive(Clone, Debug, Default)]
struct At {
    /// The path for people and programs, in which a step stands by its name.
    path: String,
    /// The place in the template before, as a JSON pointer; `None` where it has no such thing.
    before: Option<String>,
    after: Option<String>,
}

impl At {
    /// A key of the template.
    fn top(key: &str) -> Self {
        let pointer = format!("/{key}");
        Self { path: pointer.clone(), before: Some(pointer.clone()), after: Some(pointer) }
    }

    /// A part of it, by its key.
    fn key(&self, key: &str) -> Self {
        let below =
            |pointer: &Option<String>| pointer.as_ref().map(|pointer| format!("{pointer}/{}", escaped(key)));
        Self {
            path: format!("{}/{}", self.path, escaped(key)),
            before: below(&self.before),
            after: below(&self.after),
        }
    }
}

/// A part of a JSON pointer.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// Names in a sentence: `` `a`, `b` ``.
fn quoted<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
