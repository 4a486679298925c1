//! The JSON schema of template files, by which editors complete and check them.
//!
//! It is of draft 7, which every editor knows. It accepts each file that loads, but for those with an
//! unknown key: the reader warns of such a key, and a schema has no warnings. Keys of other Taskers that
//! are read over are accepted, and marked by editors that know `deprecationMessage`. What concerns several places
//! of a file is left to the reader: names of steps, cycles, and delays that exceed their cap.

mod json_schema;
mod keys;
mod program;
mod shape;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub use program::HandlerEntry;

/// The JSON schema of template files, in general or for the templates of one program.
///
/// ```
/// use tasker_template::{HandlerEntry, TemplateSchema};
/// let general = TemplateSchema::new().to_json();
/// assert_eq!(general["properties"]["version"]["maxLength"], 50);
/// let of_a_program = TemplateSchema::new().handler(HandlerEntry::new("Greet")).namespace("docs").to_json();
/// let handler = &of_a_program["definitions"]["handler"];
/// assert_eq!(handler["properties"]["callable"]["enum"][0], "Greet");
/// ```
#[derive(Clone, Debug, Default)]
pub struct TemplateSchema {
    handlers: Vec<HandlerEntry>,
    namespaces: BTreeSet<String>,
}

impl TemplateSchema {
    /// The schema of any template.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler. Then steps can ask only for the handlers that were added.
    #[must_use]
    pub fn handler(mut self, handler: HandlerEntry) -> Self {
        self.handlers.push(handler);
        self
    }

    /// Adds a namespace. Then templates can be in the namespaces only that were added.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.insert(namespace.into());
        self
    }

    /// The schema as JSON, of draft 7.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut schema: Value = keys::template().into();
        schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        schema["title"] = json!("Task template");
        schema["definitions"] = json!({
            "step": Value::from(keys::step()),
            "handler": Value::from(keys::handler()),
            "retry": Value::from(keys::retry()),
            "json_schema": json_schema::definition(),
        });
        program::add_namespaces(&mut schema, &self.namespaces);
        program::add_handlers(&mut schema, &self.handlers);
        schema
    }
}

#[cfg(test)]
mod tests;
