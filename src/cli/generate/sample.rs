//! Small values that fit a JSON schema, for tests.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Number, Value, json};

/// How deep a value may nest.
const DEEPEST: usize = 32;

/// A small value that fits the schema; `None` if what was made does not fit it.
pub(super) fn sample(schema: &Value) -> Option<Value> {
    fitting(schema, minimal(schema, schema, 0))
}

/// As [`sample`], for the context of a task, which is an object.
pub(super) fn sample_context(schema: &Value) -> Option<Value> {
    let own = minimal(schema, schema, 0);
    fitting(schema, if own.is_object() { own } else { json!({}) })
}

fn fitting(schema: &Value, value: Value) -> Option<Value> {
    let validator = jsonschema::options().offline().should_validate_formats(true).build(schema).ok()?;
    validator.is_valid(&value).then_some(value)
}

fn minimal(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(keys) = schema.as_object().filter(|_| depth < DEEPEST) else { return Value::Null };
    if let Some(reference) = keys.get("$ref").and_then(Value::as_str) {
        let found = reference.strip_prefix('#').and_then(|place| root.pointer(place));
        return found.map_or(Value::Null, |found| minimal(found, root, depth + 1));
    }
    let first = |key: &str| keys.get(key)?.as_array()?.first();
    let given = [keys.get("const"), first("enum"), first("examples"), keys.get("default")];
    if let Some(given) = given.into_iter().flatten().next() {
        return given.clone();
    }
    if let Some(parts) = keys.get("allOf").and_then(Value::as_array) {
        let mut own = keys.clone();
        own.remove("allOf");
        let parts = parts.iter().map(|part| minimal(part, root, depth + 1));
        return parts.chain([minimal(&Value::Object(own), root, depth + 1)]).fold(Value::Null, merged);
    }
    match kind(keys) {
        Some("object") => object(keys, root, depth),
        Some("array") => {
            let one = keys.get("items").map_or(Value::Null, |items| minimal(items, root, depth + 1));
            let least = keys.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            Value::Array(vec![one; usize::try_from(least.min(100)).unwrap_or(0)])
        }
        Some("string") => Value::String(text(keys)),
        Some("integer") => number(keys, true),
        Some("number") => number(keys, false),
        Some("boolean") => Value::Bool(false),
        Some(_) => Value::Null,
        None => {
            let option = first("oneOf").or_else(|| first("anyOf"));
            option.map_or(Value::Null, |option| minimal(option, root, depth + 1))
        }
    }
}

/// The type of the value to make.
fn kind(keys: &Map<String, Value>) -> Option<&str> {
    match keys.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        Some(name) => name.as_str(),
        None if keys.contains_key("properties") || keys.contains_key("required") => Some("object"),
        None if keys.contains_key("items") => Some("array"),
        None => None,
    }
}

fn object(keys: &Map<String, Value>, root: &Value, depth: usize) -> Value {
    let required = keys.get("required").and_then(Value::as_array).into_iter().flatten();
    let property = |name: &str| keys.get("properties")?.get(name);
    let member = |name: &str| {
        let value = property(name).map_or(Value::Null, |schema| minimal(schema, root, depth + 1));
        (name.to_owned(), value)
    };
    Value::Object(required.filter_map(Value::as_str).map(member).collect())
}

/// Two parts of one object.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (one, Value::Null) => one,
        (_, other) => other,
    }
}

fn text(keys: &Map<String, Value>) -> String {
    let of_format = match keys.get("format").and_then(Value::as_str) {
        Some("date") => Some("2026-01-31"),
        Some("date-time") => Some("2026-01-31T12:00:00Z"),
        Some("time") => Some("12:00:00Z"),
        Some("duration") => Some("PT1S"),
        Some("email" | "idn-email") => Some("ada@example.com"),
        Some("hostname" | "idn-hostname") => Some("example.com"),
        Some("ipv4") => Some("192.0.2.1"),
        Some("ipv6") => Some("2001:db8::1"),
        Some("uri" | "iri" | "uri-reference" | "iri-reference") => Some("https://example.com/"),
        Some("uuid") => Some("00000000-0000-4000-8000-000000000000"),
        _ => None,
    };
    if let Some(of_format) = of_format {
        return of_format.to_owned();
    }
    let pattern = keys.get("pattern").and_then(Value::as_str);
    let mut own = String::new();
    if let Some(pattern) = pattern.and_then(|pattern| regex_syntax::parse(pattern).ok()) {
        write_match(&pattern, &mut own);
    }
    let least = keys.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(1_000);
    while (own.chars().count() as u64) < least {
        own.push('x');
    }
    own
}

/// Writes a short text that the pattern matches.
fn write_match(pattern: &Hir, text: &mut String) {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(member(class)),
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min.min(1_000) {
                write_match(&repetition.sub, text);
            }
        }
        HirKind::Capture(capture) => write_match(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write_match(part, text)),
        HirKind::Alternation(parts) => parts.iter().take(1).for_each(|part| write_match(part, text)),
    }
}

/// A character of the class, a plain one if there is one.
fn member(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let has = |one: &char| class.iter().any(|range| (range.start()..=range.end()).contains(one));
    let plain = ('a'..='z').chain('A'..='Z').chain('0'..='9').find(has);
    plain.or_else(|| class.iter().next().map(|range| range.start()))
}

fn number(keys: &Map<String, Value>, is_whole: bool) -> Value {
    let bound = |key: &str| keys.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + step));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - step));
    let own = match (least, most) {
        (Some(least), _) => (least / step).ceil() * step,
        (None, Some(most)) if most < 0.0 => (most / step).floor() * step,
        _ => 0.0,
    };
    // Whole numbers of any schema that a person writes are small enough to be exact.
    let whole = (is_whole || own.fract() == 0.0).then_some(own as i64).map(Number::from);
    whole.or_else(|| Number::from_f64(own)).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_the_schema() {
        for schema in [
            json!({ "type": "object", "required": ["a", "b"], "properties": { "a": { "type": "boolean" } } }),
            json!({ "type": "array", "minItems": 2, "items": { "type": "integer", "minimum": 7 } }),
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 0.5, "multipleOf": 0.25 }),
            json!({ "type": "integer", "maximum": -3 }),
            json!({ "type": "string", "pattern": "^pay_[a-zA-Z0-9_]+$" }),
            json!({ "type": "string", "pattern": "^(visa|cash) \\d{4}$", "minLength": 3 }),
            json!({ "type": "string", "minLength": 5 }),
            json!({ "enum": ["pro", "free"] }),
            json!({ "type": ["null", "string"], "format": "email" }),
            json!({ "oneOf": [{ "type": "integer" }, { "type": "string" }] }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "string", "format": "uuid" } } }),
            json!({ "allOf": [{ "required": ["a"] }, { "required": ["b"] }] }),
            json!({ "type": "string", "examples": ["as in here"] }),
            json!({}),
            json!(true),
        ] {
            assert!(sample(&schema).is_some(), "{schema}: {}", minimal(&schema, &schema, 0));
        }
        let formats = "date date-time time duration email hostname ipv4 ipv6 uri uuid";
        for format in formats.split(' ') {
            let schema = json!({ "type": "string", "format": format });
            let made = sample(&schema);
            assert!(made.is_some_and(|made| made != ""), "{format}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_returned() {
        for schema in [json!(false), json!({ "not": {} }), json!({ "type": "string", "pattern": "^(?!a)b$" })]
        {
            assert_eq!(sample(&schema), None, "{schema}");
        }
    }

    #[test]
    fn a_context_is_an_object() {
        assert_eq!(sample_context(&json!({ "required": ["a"] })), Some(json!({ "a": null })));
        assert_eq!(sample_context(&json!({ "minProperties": 0 })), Some(json!({})));
    }
}
