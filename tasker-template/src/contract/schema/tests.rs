//! Keywords one by one: what is accepted, and what is told of it.

use serde_json::{Map, Value, json};

use crate::contract::schema::{Gap, GapKind, schema_gaps};

/// The gaps as the part of the value, the keyword and the kind.
fn gaps(narrow: &Value, wide: &Value) -> Vec<(String, String, GapKind)> {
    let all = schema_gaps(narrow, wide).into_iter();
    all.map(|Gap { value, keyword, kind, .. }| (value, keyword, kind)).collect()
}

/// The first schema is narrower: the second accepts all that it accepts, and not the other way around.
#[track_caller]
fn is_narrower(narrow: Value, wide: Value) {
    assert_eq!(gaps(&narrow, &wide), [], "{narrow} and {wide}");
    assert_ne!(gaps(&wide, &narrow), [], "{wide} and {narrow}");
}

/// There is one gap, at this part of the value and this keyword.
#[track_caller]
fn has_gap(narrow: Value, wide: Value, (value, keyword, kind): (&str, &str, GapKind)) {
    let expected = [(value.to_owned(), keyword.to_owned(), kind)];
    assert_eq!(gaps(&narrow, &wide), expected, "{narrow} and {wide}");
}

#[test]
fn each_keyword_has_a_narrower_and_a_wider_side() {
    is_narrower(json!(false), json!({"type": "string"}));
    is_narrower(json!({"type": "string"}), json!(true));
    is_narrower(json!({"type": "integer"}), json!({"type": "number"}));
    is_narrower(json!({"type": "string"}), json!({"type": ["string", "null"]}));
    is_narrower(json!({"enum": ["a"]}), json!({"enum": ["a", "b"]}));
    is_narrower(json!({"const": "a"}), json!({"enum": ["a", "b"]}));
    is_narrower(json!({"const": 1}), json!({"type": "integer"}));
    is_narrower(json!({"minimum": 2}), json!({"minimum": 1.5}));
    is_narrower(json!({"exclusiveMinimum": 2}), json!({"minimum": 2}));
    is_narrower(json!({"maximum": 1}), json!({"exclusiveMaximum": 2}));
    is_narrower(json!({"minLength": 2, "maxLength": 3}), json!({"minLength": 1, "maxLength": 3}));
    is_narrower(json!({"pattern": "^a"}), json!({}));
    is_narrower(json!({"format": "email"}), json!({}));
    is_narrower(json!({"multipleOf": 2}), json!({"title": "any"}));
    is_narrower(json!({"items": {"type": "integer"}, "maxItems": 2}), json!({"items": {"type": "number"}}));
    is_narrower(json!({"uniqueItems": true}), json!({"uniqueItems": false}));
    is_narrower(json!({"required": ["a", "b"]}), json!({"required": ["b"]}));
    is_narrower(
        json!({"minProperties": 1, "maxProperties": 8}),
        json!({"minProperties": 0, "maxProperties": 9}),
    );
    is_narrower(json!({"additionalProperties": false}), json!({"additionalProperties": true}));
    is_narrower(
        json!({"properties": {"a": {"type": "integer"}}, "additionalProperties": false}),
        json!({"properties": {"a": {"type": "number"}}, "additionalProperties": {"type": "string"}}),
    );
    is_narrower(json!({"allOf": [{"minimum": 2}]}), json!({"minimum": 1}));
    is_narrower(
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        json!({"type": ["string", "null", "object"]}),
    );
    is_narrower(json!({"type": "null"}), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}));
    is_narrower(json!({"oneOf": [{"const": "a"}]}), json!({"oneOf": [{"const": "a"}, {"const": "b"}]}));
}

#[test]
fn a_keyword_of_another_type_says_nothing() {
    assert_eq!(
        gaps(&json!({"type": "string"}), &json!({"minimum": 5, "required": ["a"], "items": false})),
        []
    );
    assert_eq!(gaps(&json!({"enum": ["a", null]}), &json!({"minimum": 5})), []);
}

#[test]
fn a_gap_says_where_it_is_and_what_each_side_says() {
    let schema = |minimum: u64| {
        json!({"type": "object",
            "properties": {"lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
            "$defs": {"line": {"properties": {"cents": {"minimum": minimum}}}}})
    };
    let all = schema_gaps(&schema(0), &schema(1));
    let at = "/$defs/line/properties/cents/minimum".to_owned();
    let expected = Gap {
        kind: GapKind::Refused,
        value: "lines[].cents".to_owned(),
        keyword: "minimum".to_owned(),
        accepts: "0".to_owned(),
        refuses: "1".to_owned(),
        accepts_at: at.clone(),
        refuses_at: at,
    };
    assert_eq!(all, [expected]);
}

#[test]
fn what_cannot_be_compared_is_told() {
    let unknown = GapKind::Incomparable;
    has_gap(json!({"pattern": "^a"}), json!({"pattern": "^a."}), ("", "pattern", unknown));
    has_gap(json!({"format": "uri"}), json!({"format": "email"}), ("", "format", unknown));
    has_gap(json!({}), json!({"oneOf": [{"type": "string"}]}), ("", "oneOf", unknown));
    has_gap(json!({"not": {"type": "string"}}), json!({"not": {"type": "null"}}), ("", "not", unknown));
    has_gap(json!({"minimum": 5}), json!({"minimum": 5, "else": false}), ("", "else", unknown));
    has_gap(json!({"x": 1}), json!({"made_up": 1}), ("", "made_up", unknown));
    has_gap(json!({"$ref": "#/nowhere"}), json!({"$ref": "https://a.example/b"}), ("", "$ref", unknown));
    has_gap(json!({}), json!({"prefixItems": [true]}), ("", "prefixItems", unknown));
    has_gap(json!({}), json!({"patternProperties": {"a": true}}), ("", "patternProperties", unknown));
    has_gap(
        json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
        json!({}),
        ("", "$schema", unknown),
    );
    let large = |number: u64| json!({"minimum": number});
    has_gap(json!({"minimum": 0.5}), large(u64::MAX), ("", "minimum", unknown));
    has_gap(large(u64::MAX - 1), large(u64::MAX), ("", "minimum", GapKind::Refused));
}

#[test]
fn equal_texts_that_refer_to_other_things_are_not_the_same() {
    let with = |of: &str| json!({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": of}}});
    has_gap(with("string"), with("null"), ("", "not", GapKind::Incomparable));
    let with =
        |of: &str| json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": of}}});
    has_gap(with("string"), with("null"), ("", "type", GapKind::Refused));
    // The same text, in which closed means another thing.
    let with = |fields: Value| json!({"properties": fields, "unevaluatedProperties": false});
    let (two, one) = (with(json!({"a": true, "b": true})), with(json!({"a": true})));
    has_gap(two, one, ("", "unevaluatedProperties", GapKind::Incomparable));
}

#[test]
fn schemas_that_contain_themselves_are_compared() {
    let tree = |of: &str| {
        json!({"type": "object", "properties": {"value": {"type": of},
            "children": {"type": "array", "items": {"$ref": "#"}}}})
    };
    is_narrower(tree("integer"), tree("number"));
    has_gap(tree("number"), tree("integer"), ("value", "type", GapKind::Refused));
    // One that is nothing but itself has no values to compare.
    let nothing = json!({"$ref": "#"});
    assert_ne!(gaps(&nothing, &json!({"type": "string"})), []);
}

#[test]
fn a_field_that_was_not_declared_is_told_apart() {
    let fields = |fields: Value, required: Value| json!({"properties": fields, "required": required});
    let (none, one) = (fields(json!({}), json!([])), fields(json!({"a": {"type": "string"}}), json!([])));
    has_gap(none.clone(), one.clone(), ("a", "properties", GapKind::Undeclared));
    let must = fields(json!({"a": {"type": "string"}}), json!(["a"]));
    has_gap(none, must, ("a", "required", GapKind::Refused));
    // Who must have a field without a schema has it with any value.
    has_gap(fields(json!({}), json!(["a"])), one.clone(), ("a", "type", GapKind::Refused));
    let closed = json!({"properties": {}, "additionalProperties": false});
    assert_eq!(gaps(&closed, &one), []);
    assert_eq!(gaps(&one, &closed).len(), 2);
}

#[test]
fn a_field_that_fits_a_pattern_is_none_of_the_others() {
    let closed = json!({"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": false});
    let mut with_field = closed.clone();
    with_field["properties"] = json!({"a": {"type": "string"}});
    has_gap(closed.clone(), with_field, ("a", "type", GapKind::Refused));
    is_narrower(closed, json!({"additionalProperties": {"type": "number"}}));
}

#[test]
fn what_would_take_for_ever_is_given_up() {
    // Each level has all combinations of the levels below.
    let deep = |leaf: &str| {
        let level = |below: usize| {
            let below = json!({"$ref": format!("#/$defs/{below}")});
            let field = |name: &str| json!({"properties": {(name): below, "x": below}});
            json!({"anyOf": [field("a"), field("b"), {"items": below}]})
        };
        let mut levels: Map<String, Value> = (1..16).map(|at| (at.to_string(), level(at - 1))).collect();
        levels.insert("0".to_owned(), json!({"type": leaf}));
        json!({"$ref": "#/$defs/15", "$defs": levels})
    };
    assert_ne!(gaps(&deep("string"), &deep("integer")), []);
    // Far deeper than any file may nest.
    let nested = |leaf: Value| (0..120).fold(leaf, |inner, _| json!({"items": inner}));
    let all = gaps(&nested(json!({"type": "string"})), &nested(json!({"type": "integer"})));
    assert_eq!(all.last().map(|(_, _, kind)| *kind), Some(GapKind::Incomparable), "{all:?}");
}
