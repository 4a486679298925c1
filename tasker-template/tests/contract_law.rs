//! The law of schemas as contracts: where no gap is told, there is none. Schemas and values are made by chance, and
//! the judge is the crate that checks contexts and results.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tasker_template::contract::schema_gaps;

const NAMES: [&str; 3] = ["a", "b", "cc"];

/// A value of the few that the schemas tell apart.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1..4_i64).prop_map(Value::from),
        select(vec![0.5, 1.0, 2.5]).prop_map(Value::from),
        select(vec!["", "a", "b", "cc", "a@b.example", "dddd"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(select(NAMES.to_vec()), inner, 0..4).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

/// A keyword with its value, where `schema` is a schema within it.
fn keyword(schema: BoxedStrategy<Value>) -> BoxedStrategy<(&'static str, Value)> {
    let types = select(vec!["null", "boolean", "object", "array", "string", "number", "integer"]);
    let number =
        prop_oneof![(0..3_i64).prop_map(Value::from), select(vec![0.5, 1.0, 1.5]).prop_map(Value::from)];
    let count = (0..3_u64).prop_map(Value::from);
    let bounds = select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
    let counts =
        select(vec!["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]);
    let branches = prop::collection::vec(schema.clone(), 1..3).prop_map(Value::from);
    let fields = prop::collection::btree_map(select(NAMES.to_vec()), schema.clone(), 1..3)
        .prop_map(|fields| json!(fields));
    prop_oneof![
        3 => types.clone().prop_map(|name| ("type", json!(name))),
        1 => prop::collection::btree_set(types, 1..4).prop_map(|names| ("type", json!(names))),
        1 => prop::collection::hash_set(prop_leaf(), 1..4)
            .prop_map(|values| ("enum", values.into_iter().collect::<Vec<_>>().into())),
        1 => value().prop_map(|value| ("const", value)),
        2 => (bounds, number.clone()).prop_map(|(name, number)| (name, number)),
        2 => (counts, count).prop_map(|(name, count)| (name, count)),
        1 => select(vec!["^a", "b$"]).prop_map(|pattern| ("pattern", json!(pattern))),
        1 => Just(("format", json!("email"))),
        1 => Just(("multipleOf", json!(2))),
        1 => any::<bool>().prop_map(|unique| ("uniqueItems", json!(unique))),
        1 => prop::collection::btree_set(select(NAMES.to_vec()), 0..3).prop_map(|names| ("required", json!(names))),
        3 => fields.clone().prop_map(|fields| ("properties", fields)),
        1 => fields.prop_map(|fields| ("patternProperties", fields)),
        2 => schema.clone().prop_map(|schema| ("additionalProperties", schema)),
        1 => schema.clone().prop_map(|schema| ("propertyNames", schema)),
        2 => schema.clone().prop_map(|schema| ("items", schema)),
        1 => branches.clone().prop_map(|branches| ("prefixItems", branches)),
        1 => (schema.clone(), select(vec!["contains", "not", "if", "then", "else"]))
            .prop_map(|(schema, name)| (name, schema)),
        1 => schema.prop_map(|schema| ("unevaluatedProperties", schema)),
        1 => (0..3_u64, select(vec!["minContains", "maxContains"])).prop_map(|(count, name)| (name, json!(count))),
        2 => (branches, select(vec!["allOf", "anyOf", "oneOf"])).prop_map(|(branches, name)| (name, branches)),
        1 => select(vec!["a", "b"]).prop_map(|name| ("$ref", json!(format!("#/$defs/{name}")))),
        1 => Just(("title", json!("a title"))),
    ]
    .boxed()
}

fn prop_leaf() -> impl Strategy<Value = Value> {
    select(vec![json!(null), json!(true), json!(1), json!(1.0), json!(2), json!("a"), json!("cc"), json!([])])
}

fn schema_of_depth(depth: u32) -> BoxedStrategy<Value> {
    if depth == 0 {
        return prop_oneof![2 => any::<bool>().prop_map(Value::from), 1 => Just(json!({"type": "string"}))]
            .boxed();
    }
    let inner = keyword(schema_of_depth(depth - 1));
    let object = prop::collection::vec(inner, 0..4).prop_map(|keywords| {
        let keywords = keywords.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::from(keywords.collect::<Map<_, _>>())
    });
    prop_oneof![8 => object, 1 => any::<bool>().prop_map(Value::from)].boxed()
}

/// A schema with what its references lead to, in one of the drafts.
fn schema() -> impl Strategy<Value = Value> {
    let parts = (schema_of_depth(3), schema_of_depth(1), schema_of_depth(1));
    parts.prop_map(|(root, a, b)| match root {
        Value::Object(mut keywords) => {
            keywords.insert("$defs".to_owned(), json!({"a": a, "b": b}));
            keywords.into()
        }
        other => other,
    })
}

/// The same schema with one small change, somewhere.
fn changed(schema: Value, path: Vec<usize>, with: (&'static str, Value), removes: bool) -> Value {
    fn change(value: &mut Value, path: &[usize], with: &(&'static str, Value), removes: bool) {
        let children: Vec<&mut Value> = match value {
            Value::Object(map) => map.values_mut().collect(),
            Value::Array(list) => list.iter_mut().collect(),
            _ => return,
        };
        let count = children.len();
        match path {
            [first, rest @ ..] if count > 0 => {
                if let Some(child) = children.into_iter().nth(first % count) {
                    change(child, rest, with, removes);
                }
            }
            [first] | [first, ..] if removes => {
                if let Value::Object(map) = value {
                    let name = map.keys().nth(first % map.len().max(1)).cloned();
                    name.and_then(|name| map.remove(&name));
                }
            }
            _ => {
                if let Value::Object(map) = value {
                    map.insert(with.0.to_owned(), with.1.clone());
                }
            }
        }
    }
    let mut schema = schema;
    change(&mut schema, &path, &with, removes);
    schema
}

/// Two schemas: any two, or two that differ in one place.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let alike = (
        schema(),
        prop::collection::vec(0..8_usize, 0..5),
        keyword(schema_of_depth(1)),
        any::<bool>(),
        any::<bool>(),
    );
    let alike = alike.prop_map(|(one, path, with, removes, turned)| {
        let other = changed(one.clone(), path, with, removes);
        if turned { (other, one) } else { (one, other) }
    });
    prop_oneof![1 => (schema(), schema()), 4 => alike]
}

/// As the runtime compiles it; `None` for what is no schema, or one that would never end.
fn compiled(schema: &Value) -> Option<Validator> {
    jsonschema::options().offline().should_validate_formats(true).build(schema).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn without_gaps_every_value_is_accepted((narrow, wide) in pair(), values in prop::collection::vec(value(), 40)) {
        prop_assume!(schema_gaps(&narrow, &wide).is_empty());
        let (Some(accepts), Some(refuses)) = (compiled(&narrow), compiled(&wide)) else { return Ok(()) };
        for value in values {
            prop_assert!(
                !accepts.is_valid(&value) || refuses.is_valid(&value),
                "{value} fits {narrow}, and not {wide}"
            );
        }
    }

    #[test]
    fn a_schema_accepts_what_it_accepts(schema in schema()) {
        prop_assert_eq!(schema_gaps(&schema, &schema.clone()), []);
    }
}
