//! The schema of a JSON schema in a template: what all drafts that are read have in common.

use serde_json::{Map, Value, json};

use crate::schema::shape::Shape;

/// The types of JSON.
pub(super) const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// A JSON schema of any draft. Keywords that it does not know are accepted, for drafts have different ones.
pub(super) fn definition() -> Value {
    let schema = || Shape::defined("json_schema");
    let list_of_schemas = || Shape::list(schema()).with("minItems", json!(1));
    let schema_or_list = || {
        let list: Value = Shape::list(schema()).into();
        Shape::any().with("anyOf", json!([Value::from(schema()), list]))
    };
    let count = || Shape::any().with("type", json!("integer")).with("minimum", json!(0));
    let number = || Shape::any().with("type", json!("number"));
    let bound = || Shape::any().with("type", json!(["number", "boolean"]));
    let text = || Shape::any().with("type", json!("string"));
    let of_type = json!([
        {"enum": TYPES},
        {"type": "array", "items": {"enum": TYPES}, "minItems": 1},
    ]);
    let keywords = [
        ("$schema", text(), "The draft of JSON Schema; 2020-12 without it."),
        ("$ref", text(), "A part of the same schema, as in `#/$defs/money`. Nothing is fetched."),
        ("$defs", Shape::map(schema()), "Schemas to refer to."),
        ("definitions", Shape::map(schema()), "Schemas to refer to, in drafts up to 7."),
        ("title", text(), "A short name, for people."),
        ("description", text(), "What the value is, for people."),
        ("type", Shape::any().with("anyOf", of_type), "The type of the value, or a list of types."),
        ("enum", Shape::any().with("type", json!("array")), "The values that it can have."),
        ("const", Shape::any(), "The value that it must have."),
        ("default", Shape::any(), "For people: nothing is filled in."),
        ("properties", Shape::map(schema()), "The schemas of an object's fields."),
        (
            "required",
            Shape::any().with("type", json!(["array", "boolean"])),
            "The fields that an object must have.",
        ),
        ("additionalProperties", schema(), "The schema of all other fields; `false` allows none."),
        ("patternProperties", Shape::map(schema()), "Schemas of fields by patterns of their names."),
        ("propertyNames", schema(), "The schema of the names of an object's fields."),
        ("minProperties", count(), "The smallest number of fields."),
        ("maxProperties", count(), "The largest number of fields."),
        ("items", schema_or_list(), "The schema of a list's items."),
        ("contains", schema(), "The schema of at least one of a list's items."),
        ("minItems", count(), "The smallest number of items."),
        ("maxItems", count(), "The largest number of items."),
        ("uniqueItems", Shape::flag(), "Whether no two items may be equal."),
        ("minimum", number(), "The smallest number."),
        ("maximum", number(), "The largest number."),
        ("exclusiveMinimum", bound(), "Every number is greater than this."),
        ("exclusiveMaximum", bound(), "Every number is less than this."),
        ("multipleOf", number(), "The number is a multiple of this."),
        ("minLength", count(), "The smallest number of characters."),
        ("maxLength", count(), "The largest number of characters."),
        ("pattern", text(), "A regular expression that is found in the text."),
        ("format", text(), "What the text is: `email`, `date-time`, `uuid`, `uri`, …; it is checked."),
        ("allOf", list_of_schemas(), "The value fits all of these."),
        ("anyOf", list_of_schemas(), "The value fits at least one of these."),
        ("oneOf", list_of_schemas(), "The value fits exactly one of these."),
        ("not", schema(), "The value does not fit this."),
        ("if", schema(), "`then` holds for a value that fits this, `else` for others."),
        ("then", schema(), "Holds for a value that fits `if`."),
        ("else", schema(), "Holds for a value that does not fit `if`."),
    ];
    let properties: Map<String, Value> = keywords
        .into_iter()
        .map(|(name, shape, about)| (name.to_owned(), shape.about(about).into()))
        .collect();
    json!({
        "description": "A JSON schema.",
        "type": ["object", "boolean"],
        "properties": properties,
    })
}
