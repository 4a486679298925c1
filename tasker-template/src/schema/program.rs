//! What a program adds to the schema: its handlers and its namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::template::DEFAULT_METHOD;

/// A handler as the schema of template files shows it.
///
/// ```
/// use tasker_template::HandlerEntry;
/// let entry = HandlerEntry::new("Billing::Charge").method("refund").description("Pays money back.");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HandlerEntry {
    pub(super) callable: String,
    pub(super) method: String,
    pub(super) config_schema: Option<Value>,
    pub(super) description: Option<String>,
}

impl HandlerEntry {
    /// A handler that is registered by this name, for the method `call`.
    #[must_use]
    pub fn new(callable: impl Into<String>) -> Self {
        let method = DEFAULT_METHOD.to_owned();
        Self { callable: callable.into(), method, config_schema: None, description: None }
    }

    /// The method that it is for.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = method.into();
        self
    }

    /// The JSON schema of its `initialization`, whose references are to parts of itself. Without one, any
    /// mapping will do.
    #[must_use]
    pub fn config_schema(mut self, schema: Value) -> Self {
        self.config_schema = Some(schema);
        self
    }

    /// What an editor says of it.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// The names of namespaces become the only ones.
pub(super) fn add_namespaces(schema: &mut Value, namespaces: &BTreeSet<String>) {
    if !namespaces.is_empty() {
        let about = schema["properties"]["namespace_name"]["description"].take();
        schema["properties"]["namespace_name"] = json!({"description": about, "enum": namespaces});
    }
}

/// The callables of these handlers become the only ones, each with its methods and the settings of each.
pub(super) fn add_handlers(schema: &mut Value, handlers: &[HandlerEntry]) {
    let mut callables: BTreeMap<&str, Vec<&HandlerEntry>> = BTreeMap::new();
    for handler in handlers {
        callables.entry(&handler.callable).or_default().push(handler);
    }
    if callables.is_empty() {
        return;
    }
    let descriptions: Vec<String> = callables.values().map(|methods| described(methods)).collect();
    let mut rules = Vec::new();
    let mut configs = Map::new();
    for (callable, methods) in &callables {
        rules.push(rule_of_methods(callable, methods));
        for handler in methods {
            if let Some(config) = &handler.config_schema {
                let name = format!("initialization of {}", shown(handler));
                rules.push(rule_of_config(handler, config, &name));
                configs.insert(name.clone(), embedded(config, &pointer_to(&name)));
            }
        }
    }
    let names: Vec<&str> = callables.into_keys().collect();
    let handler = &mut schema["definitions"]["handler"];
    let about = handler["properties"]["callable"]["description"].take();
    handler["properties"]["callable"] =
        json!({"description": about, "enum": names, "enumDescriptions": descriptions});
    handler["allOf"] = Value::Array(rules);
    if let Some(definitions) = schema["definitions"].as_object_mut() {
        definitions.append(&mut configs);
    }
}

fn shown(handler: &HandlerEntry) -> String {
    match handler.method.as_str() {
        DEFAULT_METHOD => handler.callable.clone(),
        method => format!("{}, method {method}", handler.callable),
    }
}

fn described(methods: &[&HandlerEntry]) -> String {
    let several = methods.len() > 1;
    let lines: Vec<String> = methods
        .iter()
        .filter_map(|handler| {
            let description = handler.description.as_deref()?;
            Some(if several {
                format!("`{}`: {description}", handler.method)
            } else {
                description.to_owned()
            })
        })
        .collect();
    lines.join("\n\n")
}

/// A step of this callable asks for one of its methods.
fn rule_of_methods(callable: &str, methods: &[&HandlerEntry]) -> Value {
    let mut names: BTreeSet<Option<&str>> = methods.iter().map(|one| Some(one.method.as_str())).collect();
    let has_default = names.contains(&Some(DEFAULT_METHOD));
    if has_default {
        names.insert(None);
    }
    let mut then = json!({"properties": {"method": {"enum": names}}});
    if !has_default {
        then["required"] = json!(["method"]);
    }
    json!({"if": {"required": ["callable"], "properties": {"callable": {"const": callable}}}, "then": then})
}

/// A step of this handler has settings that fit its schema.
fn rule_of_config(handler: &HandlerEntry, config: &Value, name: &str) -> Value {
    let mut condition = json!({
        "required": ["callable"],
        "properties": {"callable": {"const": handler.callable}},
    });
    if handler.method == DEFAULT_METHOD {
        condition["properties"]["method"] = json!({"enum": [DEFAULT_METHOD, null]});
    } else {
        condition["required"] = json!(["callable", "method"]);
        condition["properties"]["method"] = json!({"const": handler.method});
    }
    let settings = json!({"$ref": pointer_to(name)});
    let is_needed = config["required"].as_array().is_some_and(|fields| !fields.is_empty());
    let then = if is_needed {
        json!({"required": ["initialization"], "properties": {"initialization": settings}})
    } else {
        json!({"properties": {"initialization": {"anyOf": [settings, {"type": "null"}]}}})
    };
    json!({"if": condition, "then": then})
}

/// The reference to a definition: a JSON pointer in a URI fragment.
fn pointer_to(name: &str) -> String {
    let mut pointer = String::from("#/definitions/");
    for byte in name.bytes() {
        match byte {
            b'~' => pointer.push_str("~0"),
            b'/' => pointer.push_str("~1"),
            b'-' | b'.' | b'_' | b':' | b',' | b'(' | b')' => pointer.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => pointer.push(char::from(byte)),
            byte => pointer.push_str(&format!("%{byte:02X}")),
        }
    }
    pointer
}

/// The keywords whose values are no schemas.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "required"];

/// A schema as a part of another one, at `place`: what refers to its root, or from there, refers to `place`.
fn embedded(schema: &Value, place: &str) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| embedded(item, place)).collect(),
        Value::Object(keywords) => {
            let mut all: Map<String, Value> = keywords
                .iter()
                // A base URI of its own would change what references mean; its draft is that of the whole.
                .filter(|(keyword, value)| {
                    !(value.is_string() && ["$id", "$schema"].contains(&keyword.as_str()))
                })
                .map(|(keyword, value)| {
                    let is_data = DATA.contains(&keyword.as_str());
                    (keyword.clone(), if is_data { value.clone() } else { embedded(value, place) })
                })
                .collect();
            let to = all.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
            if let Some(to) = to.map(|to| format!("{place}{to}")) {
                all.remove("$ref");
                let reference = json!({ "$ref": to });
                if all.is_empty() {
                    return reference;
                }
                // Draft 7 reads nothing beside a reference.
                match all.get_mut("allOf").and_then(Value::as_array_mut) {
                    Some(rules) => rules.push(reference),
                    None => {
                        all.insert("allOf".to_owned(), json!([reference]));
                    }
                }
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_within_another_refers_to_its_own_parts() {
        let config = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {
                "amount": {"$ref": "#/$defs/money", "description": "how much"},
                "next": {"$ref": "#"},
                "$ref": {"const": {"$ref": "#/not/a/reference"}},
            },
            "$defs": {"money": {"type": "integer"}},
        });
        let place = "#/definitions/c";
        assert_eq!(
            embedded(&config, place),
            json!({
                "properties": {
                    "amount": {"allOf": [{"$ref": "#/definitions/c/$defs/money"}], "description": "how much"},
                    "next": {"$ref": "#/definitions/c"},
                    "$ref": {"const": {"$ref": "#/not/a/reference"}},
                },
                "$defs": {"money": {"type": "integer"}},
            })
        );
    }

    #[test]
    fn a_name_becomes_a_part_of_a_reference() {
        assert_eq!(pointer_to("initialization of A::B/c~"), "#/definitions/initialization%20of%20A::B~1c~0");
    }
}
