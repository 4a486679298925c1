//! JSON schemas of templates: each is compiled once, and values are checked against it.

use std::fmt;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use tasker_store::Json;
use tasker_template::nearest;

use crate::build::violations::{Violation, Violations};

/// The number of violations that are reported; the others are counted.
const MOST: usize = 20;

/// The longest pointer or reason; longer ones are cut, for they may quote names from the value.
const LONGEST: usize = 200;

/// The type names of JSON schema.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// A compiled JSON schema.
pub(crate) struct Schema(Validator);

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// A fault of a schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SchemaFault {
    /// The place within the schema, as a JSON pointer.
    pub(crate) pointer: String,
    pub(crate) reason: String,
    pub(crate) suggestion: Option<String>,
}

impl Schema {
    /// Compiles a schema. Its references must point into the schema itself: nothing is fetched.
    pub(crate) fn compile(schema: &Value) -> Result<Self, Vec<SchemaFault>> {
        let faults = faults(schema);
        if !faults.is_empty() {
            return Err(faults);
        }
        // Another crate of the program may have turned on the features of `jsonschema` that fetch.
        let options = jsonschema::options().offline();
        // Checks `format: email` as the author means it; the later drafts would ignore it.
        let options = options.should_validate_formats(true);
        options.build(schema).map(Self).map_err(|error| {
            let pointer = error.instance_path().to_string();
            vec![SchemaFault { pointer, reason: cut(error.to_string()), suggestion: None }]
        })
    }

    /// Checks a value. The error lists the violations.
    pub(crate) fn check(&self, json: &Json) -> Result<(), Violations> {
        let value: Value = match json.to() {
            Ok(value) => value,
            Err(error) => {
                let reason = cut(error.reason().to_string());
                return Err(Violations::one(reason));
            }
        };
        if self.0.is_valid(&value) {
            return Ok(());
        }
        let (mut violations, mut more) = (Vec::new(), 0);
        for error in self.0.iter_errors(&value) {
            if violations.len() == MOST {
                more += 1;
                continue;
            }
            let pointer = cut(error.instance_path().to_string());
            let reason = cut(error.masked_with("the value").to_string());
            violations.push(Violation { pointer, reason });
        }
        violations.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        Err(Violations::new(violations, more))
    }
}

/// All faults of a schema by its meta-schema.
fn faults(schema: &Value) -> Vec<SchemaFault> {
    // An unknown draft is reported when the schema is compiled.
    let Ok(meta) = jsonschema::meta::validator_for(schema) else { return Vec::new() };
    let mut faults = Vec::new();
    for error in meta.iter_errors(schema) {
        let pointer = error.instance_path().to_string();
        let is_type = pointer.ends_with("/type") && matches!(error.kind(), ValidationErrorKind::AnyOf { .. });
        let found = error.instance().as_str().filter(|_| is_type);
        let (reason, suggestion) = match found {
            Some(found) => (
                format!("`{found}` is no type of JSON"),
                nearest(found, TYPES).map(|near| format!("did you mean `{near}`?")),
            ),
            None => (error.to_string(), None),
        };
        let fault = SchemaFault { pointer, reason: cut(reason), suggestion };
        // The later drafts report the same fault once for each of their vocabularies.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
        if faults.len() == MOST {
            break;
        }
    }
    faults
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn violations(schema: &Value, value: &Value) -> Violations {
        Schema::compile(schema).unwrap().check(&Json::from_value(value).unwrap()).unwrap_err()
    }

    fn faults_of(schema: &Value) -> Vec<(String, String)> {
        let faults = Schema::compile(schema).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.reason)).collect()
    }

    #[test]
    fn violations_say_where_and_why_but_not_what() {
        let schema = json!({
            "type": "object",
            "properties": {"card": {"type": "string", "maxLength": 4}, "a/b": {"type": "integer"}},
            "required": ["id"],
        });
        let found = violations(&schema, &json!({"card": "4111 1111", "a/b": "secret"}));
        assert_eq!(
            found.to_string(),
            "\"id\" is a required property; `/a~1b`: the value is not of type \"integer\"; \
             `/card`: the value is longer than 4 characters"
        );
        assert_eq!(found.more(), 0);
    }

    #[test]
    fn very_many_violations_are_counted() {
        let found = violations(&json!({"items": {"type": "string"}}), &json!(vec![0; 1_000]));
        assert_eq!((found.iter().count(), found.more()), (20, 980));
        assert!(found.to_string().ends_with("; 980 more"), "{found}");
    }

    #[test]
    fn names_that_the_value_brings_along_are_cut() {
        let long = "é".repeat(5_000);
        let found = violations(&json!({"additionalProperties": false}), &json!({ long.as_str(): 1 }));
        assert!(found.to_string().len() < 2 * LONGEST);
        let found = violations(&json!({"additionalProperties": {"type": "null"}}), &json!({ long: 1 }));
        assert!(found.to_string().len() < 2 * LONGEST);
    }

    #[test]
    fn formats_are_checked_and_unknown_ones_read_over() {
        let schema = json!({"properties": {"mail": {"format": "email"}, "sku": {"format": "our-own"}}});
        assert_eq!(
            violations(&schema, &json!({"mail": "nobody", "sku": "?"})).to_string(),
            "`/mail`: the value is not a \"email\""
        );
    }

    #[test]
    fn every_fault_of_a_schema_is_found() {
        let schema = json!({"properties": {"a": {"type": "strng"}, "b": {"minimum": "0"}}, "required": "a"});
        let faults = faults_of(&schema);
        let pointers: Vec<_> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        for pointer in ["/properties/a/type", "/properties/b/minimum", "/required"] {
            assert!(pointers.contains(&pointer), "{faults:?}");
        }
        assert!(faults.contains(&("/properties/a/type".into(), "`strng` is no type of JSON".into())));
    }

    #[test]
    fn what_cannot_be_compiled_is_a_fault_and_nothing_is_fetched() {
        for schema in [
            json!(7),
            json!("text"),
            json!({"pattern": "("}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "#/$defs/nothing"}),
            json!({"$schema": "https://example.com/no-such-draft"}),
        ] {
            let faults = faults_of(&schema);
            assert_eq!(faults.len(), 1, "{schema}: {faults:?}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_followed_as_deep_as_the_value() {
        let schema = json!({
            "allOf": [{"anyOf": [{"$ref": "#/$defs/node"}]}],
            "$defs": {"node": {
                "if": true,
                "then": {"properties": {"next": {"$ref": "#"}, "v": {"type": "integer"}}},
            }},
        });
        let mut value = json!({"v": "x"});
        for _ in 1..tasker_store::DEEPEST {
            value = json!({ "next": value });
        }
        assert_eq!(violations(&schema, &value).iter().count(), 1);
    }

    #[test]
    fn a_pattern_that_backtracks_without_end_is_a_violation() {
        let schema = json!({"pattern": "^(a+)+(?!b)c$"});
        let found = violations(&schema, &json!("a".repeat(64)));
        assert_eq!(found.iter().count(), 1, "{found}");
    }

    #[test]
    fn a_schema_that_refers_to_nothing_but_itself_ends() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({
                "$ref": "#/$defs/a",
                "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}},
            }),
            json!({"properties": {"x": {"$ref": "#/properties/x"}}}),
            json!({"if": {"$ref": "#"}, "then": false}),
        ] {
            // Some of them accept every value, some none: the test is that the check ends.
            let _ = Schema::compile(&schema).unwrap().check(&Json::from_value(&json!({"x": 1})).unwrap());
        }
    }
}
