//! What a JSON schema says about types. All else in it, such as lengths and patterns, is left to the check that
//! Tasker makes of each context and result; types that check it again could not be written down plainly.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tasker_template::snake_case_names;

use crate::cli::generate::names::camel;

/// How deep the parts of an `allOf` may refer to each other.
const DEEPEST: usize = 32;

/// The schema, as far as it is about types, in the form that typify takes: references to `definitions`, whose
/// names begin with `prefix`.
pub(super) fn reduced(schema: &Value, prefix: &str) -> Value {
    let names = definition_names(schema, prefix);
    let reducing = Reducing { root: schema, names };
    let mut own = reducing.reduce(schema, 0);
    let definitions: Map<String, Value> = reducing
        .names
        .iter()
        .filter_map(|(place, name)| Some((name.clone(), reducing.reduce(schema.pointer(place)?, 0))))
        .collect();
    if let (Some(own), false) = (own.as_object_mut(), definitions.is_empty()) {
        own.insert("definitions".to_owned(), Value::Object(definitions));
    }
    own
}

/// The description of a schema as one line of documentation.
pub(super) fn description(schema: &Value) -> Option<String> {
    let text = schema.get("description")?.as_str()?;
    one_line(text)
}

/// A text as one line of documentation, or `None` for an empty one.
pub(super) fn one_line(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// The place of each definition, as a JSON pointer, and its name.
fn definition_names(schema: &Value, prefix: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for key in ["$defs", "definitions"] {
        for name in schema.get(key).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let wanted = format!("{prefix}{}", camel(name).trim_matches('_'));
            let numbered = (2..).map(|number| format!("{wanted}{number}"));
            let mut all = std::iter::once(wanted.clone()).chain(numbered);
            let own = all.find(|one| !names.values().any(|other| other == one)).unwrap_or(wanted);
            names.insert(format!("/{key}/{}", name.replace('~', "~0").replace('/', "~1")), own);
        }
    }
    names
}

struct Reducing<'s> {
    root: &'s Value,
    names: BTreeMap<String, String>,
}

impl Reducing<'_> {
    fn reduce(&self, schema: &Value, depth: usize) -> Value {
        let Some(keys) = schema.as_object().filter(|_| depth < DEEPEST) else { return json!({}) };
        let mut own = self.kind(keys, depth);
        if let (Some(own), Some(text)) = (own.as_object_mut(), description(schema))
            && !own.contains_key("$ref")
        {
            // As it stands in code: after the slashes comes a space.
            own.insert("description".to_owned(), Value::String(format!(" {text}")));
        }
        own
    }

    fn kind(&self, keys: &Map<String, Value>, depth: usize) -> Value {
        if let Some(reference) = keys.get("$ref") {
            let place = reference.as_str().and_then(|reference| reference.strip_prefix('#'));
            let name = place.and_then(|place| self.names.get(place));
            return name.map_or(json!({}), |name| json!({ "$ref": format!("#/definitions/{name}") }));
        }
        if let Some(parts) = keys.get("allOf").and_then(Value::as_array) {
            return self.all_of(keys, parts, depth);
        }
        if let Some(options) = strings(keys) {
            return options;
        }
        let named = match keys.get("type") {
            Some(Value::Array(names)) => {
                let mut others = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
                match (others.next(), others.next()) {
                    (Some(only), None) => {
                        let mut keys = keys.clone();
                        keys.insert("type".to_owned(), only.into());
                        let own = self.kind(&keys, depth);
                        return match names.len() {
                            1 => own,
                            _ => json!({ "oneOf": [own, { "type": "null" }] }),
                        };
                    }
                    _ => return json!({}),
                }
            }
            Some(name) => name.as_str(),
            None if keys.contains_key("properties") => Some("object"),
            None if keys.contains_key("items") => Some("array"),
            None => None,
        };
        match named {
            Some("object") => self.object(keys, depth),
            Some("array") => match keys.get("items") {
                Some(items) if !keys.contains_key("prefixItems") => {
                    json!({ "type": "array", "items": self.reduce(items, depth + 1) })
                }
                _ => json!({ "type": "array" }),
            },
            Some("integer") => {
                let is_unsigned = ["minimum", "exclusiveMinimum"]
                    .iter()
                    .any(|key| keys.get(*key).and_then(Value::as_f64).is_some_and(|least| least >= 0.0));
                if is_unsigned {
                    json!({ "type": "integer", "minimum": 0 })
                } else {
                    json!({ "type": "integer" })
                }
            }
            Some(name @ ("string" | "number" | "boolean" | "null")) => json!({ "type": name }),
            Some(_) => json!({}),
            None => self.either(keys, depth),
        }
    }

    fn object(&self, keys: &Map<String, Value>, depth: usize) -> Value {
        let required = keys.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut properties: Map<String, Value> = keys
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), self.reduce(schema, depth + 1)))
            .collect();
        for name in required.iter().filter_map(Value::as_str) {
            properties.entry(name).or_insert_with(|| json!({}));
        }
        let fields = snake_case_names(properties.keys().map(String::as_str));
        let alone = properties.keys().map(|name| snake_case_names([name.as_str()]).concat());
        if !alone.eq(fields) {
            // Two of them would be one field.
            return json!({});
        }
        let mut own = json!({ "type": "object" });
        if !properties.is_empty() {
            own["properties"] = Value::Object(properties);
            own["required"] = Value::Array(required);
        } else if let Some(others) = keys.get("additionalProperties").filter(|others| others.is_object()) {
            own["additionalProperties"] = self.reduce(others, depth + 1);
        }
        own
    }

    /// One of several types.
    fn either(&self, keys: &Map<String, Value>, depth: usize) -> Value {
        for key in ["oneOf", "anyOf"] {
            if let Some(all) = keys.get(key).and_then(Value::as_array) {
                let all: Vec<Value> = all.iter().map(|one| self.reduce(one, depth + 1)).collect();
                // One that says nothing of types takes everything.
                let is_clear = all.iter().all(|one| one.get("type").is_some() || one.get("$ref").is_some());
                return if is_clear { json!({ key: all }) } else { json!({}) };
            }
        }
        json!({})
    }

    /// Objects that are parts of one.
    fn all_of(&self, keys: &Map<String, Value>, parts: &[Value], depth: usize) -> Value {
        let mut own = keys.clone();
        own.remove("allOf");
        let has_own =
            ["type", "properties", "oneOf", "anyOf", "enum"].iter().any(|key| own.contains_key(*key));
        if let ([only], false) = (parts, has_own) {
            return self.reduce(only, depth + 1);
        }
        let own = Value::Object(own);
        let mut merged = json!({ "type": "object", "properties": {}, "required": [] });
        for part in parts.iter().chain(has_own.then_some(&own)) {
            let reference = part.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            let part = reference.map_or(Some(part), |place| self.root.pointer(place));
            let Some(part) = part.map(|part| self.reduce(part, depth + 1)) else { return json!({}) };
            let Some(properties) = part.get("properties").and_then(Value::as_object) else {
                return json!({});
            };
            for (name, schema) in properties {
                merged["properties"][name] = schema.clone();
            }
            let required = part.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(all) = merged["required"].as_array_mut() {
                all.extend(required.into_iter().filter(|name| !name.is_null()));
            }
        }
        merged
    }
}

/// The schema of one of these texts, if all that is allowed is text, and each makes a name of its own.
fn strings(keys: &Map<String, Value>) -> Option<Value> {
    let options = match (keys.get("enum"), keys.get("const")) {
        (Some(options), _) => options.as_array()?.clone(),
        (None, Some(only)) => vec![only.clone()],
        (None, None) => return None,
    };
    let texts: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
    let is_nullable = options.iter().any(Value::is_null);
    if texts.is_empty() || texts.len() + usize::from(is_nullable) != options.len() {
        return None;
    }
    let mut names: Vec<String> = texts.iter().map(|text| camel(text).to_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    let are_names = texts.iter().all(|text| text.starts_with(|first: char| first.is_ascii_alphabetic()));
    let own = if are_names && names.len() == texts.len() {
        json!({ "type": "string", "enum": texts })
    } else {
        json!({ "type": "string" })
    };
    Some(if is_nullable { json!({ "oneOf": [own, { "type": "null" }] }) } else { own })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Value, expected: Value) {
        assert_eq!(reduced(&schema, "Order"), expected);
    }

    #[test]
    fn what_is_not_about_types_is_left_out() {
        check(
            json!({ "type": "string", "pattern": "^a", "minLength": 3, "format": "uuid", "default": "abc" }),
            json!({ "type": "string" }),
        );
        check(json!({ "type": "integer", "minimum": 5 }), json!({ "type": "integer", "minimum": 0 }));
        check(json!({ "type": "integer", "minimum": -5 }), json!({ "type": "integer" }));
        check(json!({ "enum": [1, 2], "type": "integer" }), json!({ "type": "integer" }));
        check(json!({ "not": { "type": "null" } }), json!({}));
        check(json!(true), json!({}));
    }

    #[test]
    fn what_may_be_null_is_one_of_two() {
        let text = json!({ "oneOf": [{ "type": "string" }, { "type": "null" }] });
        check(json!({ "type": ["string", "null"] }), text);
        check(json!({ "type": ["string", "integer"] }), json!({}));
        let options = json!({ "oneOf": [{ "type": "string", "enum": ["a"] }, { "type": "null" }] });
        check(json!({ "enum": ["a", null] }), options);
    }

    #[test]
    fn texts_that_would_have_the_same_name_are_any_text() {
        check(json!({ "enum": ["a-b", "a_b"] }), json!({ "type": "string" }));
        check(json!({ "enum": ["", "1"] }), json!({ "type": "string" }));
        check(json!({ "const": "free" }), json!({ "type": "string", "enum": ["free"] }));
    }

    #[test]
    fn definitions_go_by_names_of_their_own() {
        check(
            json!({ "$ref": "#/$defs/line-item", "$defs": { "line-item": { "type": "null" } } }),
            json!({
                "$ref": "#/definitions/OrderLineItem",
                "definitions": { "OrderLineItem": { "type": "null" } },
            }),
        );
        check(json!({ "$ref": "https://example.com/schema" }), json!({}));
    }

    #[test]
    fn parts_of_an_object_are_put_together() {
        let part = |name: &str| json!({ "properties": { name: { "type": "null" } }, "required": [name] });
        check(
            json!({ "allOf": [part("a"), { "$ref": "#/$defs/b" }], "$defs": { "b": part("b") } }),
            json!({
                "type": "object",
                "properties": { "a": { "type": "null" }, "b": { "type": "null" } },
                "required": ["a", "b"],
                "definitions": { "OrderB": {
                    "type": "object", "properties": { "b": { "type": "null" } }, "required": ["b"],
                }},
            }),
        );
        check(json!({ "allOf": [part("a"), { "minProperties": 1 }] }), json!({}));
    }
}
