//! The law of schemas as contracts: where no gap is told, there is none. Schemas and values are made by chance, and
//! the judge is the crate that checks contexts and results.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tasker_template::contract::schema_gaps;

static VALUES: LazyLock<Vec<Value>> = LazyLock::new(values);

const NAMES: [&str; 3] = ["a", "b", "cc"];

/// Values that the schemas tell apart: all scalars that their keywords can name, and small lists and objects of some.
fn values() -> Vec<Value> {
    let mut all = vec![json!(null), json!(true), json!(false), json!([]), json!({})];
    all.extend([-1, 0, 1, 2, 3].map(Value::from));
    all.extend([0.5, 1.0, 1.5, 2.5].map(Value::from));
    all.extend(["", "a", "b", "ab", "cc", "a@b.example", "dddd"].map(Value::from));
    let few = [json!(null), json!(1), json!(2), json!("a"), json!("cc"), json!({})];
    for one in &few {
        all.extend([
            json!([one]),
            json!([[one]]),
            json!([{"a": one}]),
            json!({"a": {"a": one}}),
            json!({"a": [one]}),
        ]);
        all.extend(few.iter().map(|other| json!([one, other])));
        all.extend(few.iter().map(|other| json!([one, other, one])));
    }
    let absent_or = || std::iter::once(None).chain(few[..5].iter().map(Some));
    for (a, b) in absent_or().flat_map(|a| absent_or().map(move |b| (a, b))) {
        for cc in absent_or().take(4) {
            let fields = NAMES.into_iter().zip([a, b, cc]);
            let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
            all.push(fields.collect::<Map<_, _>>().into());
        }
    }
    all
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
        1 => prop_leaf().prop_map(|value| ("const", value)),
        2 => (bounds, number.clone()).prop_map(|(name, number)| (name, number)),
        2 => (counts, count).prop_map(|(name, count)| (name, count)),
        1 => select(vec!["^a", "b$"]).prop_map(|pattern| ("pattern", json!(pattern))),
        1 => Just(("format", json!("email"))),
        1 => Just(("multipleOf", json!(2))),
        1 => any::<bool>().prop_map(|unique| ("uniqueItems", json!(unique))),
        1 => prop::collection::btree_set(select(NAMES.to_vec()), 0..3)
            .prop_map(|names| ("required", json!(names))),
        3 => fields.clone().prop_map(|fields| ("properties", fields)),
        1 => fields.prop_map(|fields| ("patternProperties", fields)),
        2 => schema.clone().prop_map(|schema| ("additionalProperties", schema)),
        1 => schema.clone().prop_map(|schema| ("propertyNames", schema)),
        2 => schema.clone().prop_map(|schema| ("items", schema)),
        1 => branches.clone().prop_map(|branches| ("prefixItems", branches)),
        1 => (schema.clone(), select(vec!["contains", "not", "if", "then", "else"]))
            .prop_map(|(schema, name)| (name, schema)),
        1 => schema.prop_map(|schema| ("unevaluatedProperties", schema)),
        1 => (0..3_u64, select(vec!["minContains", "maxContains"]))
            .prop_map(|(count, name)| (name, json!(count))),
        2 => (branches, select(vec!["allOf", "anyOf", "oneOf"]))
            .prop_map(|(branches, name)| (name, branches)),
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

/// A schema with what its references lead to.
fn schema() -> impl Strategy<Value = Value> {
    let root = prop_oneof![1 => schema_of_depth(1), 3 => schema_of_depth(2), 1 => schema_of_depth(3)];
    let parts = (root, schema_of_depth(1), schema_of_depth(1));
    parts.prop_map(|(root, a, b)| match root {
        Value::Object(mut keywords) => {
            keywords.insert("$defs".to_owned(), json!({"a": a, "b": b}));
            keywords.into()
        }
        other => other,
    })
}

/// A small change of a schema.
#[derive(Clone, Debug)]
enum Change {
    Insert(&'static str, Value),
    Remove(usize),
    /// A keyword gets the name of one that is like it.
    Rename(usize),
    /// A number is one more, a list has one value less, a flag is turned.
    Alter(usize),
}

const LIKE: [[&str; 2]; 8] = [
    ["minimum", "exclusiveMinimum"],
    ["exclusiveMinimum", "minimum"],
    ["maximum", "exclusiveMaximum"],
    ["anyOf", "allOf"],
    ["allOf", "oneOf"],
    ["oneOf", "anyOf"],
    ["properties", "patternProperties"],
    ["items", "contains"],
];

impl Change {
    fn apply(self, map: &mut Map<String, Value>) {
        let key = |map: &Map<String, Value>, at: usize| map.keys().nth(at % map.len().max(1)).cloned();
        match self {
            Self::Insert(name, value) => {
                map.insert(name.to_owned(), value);
            }
            Self::Remove(at) => {
                key(map, at).and_then(|name| map.remove(&name));
            }
            Self::Rename(at) => {
                let like = LIKE.into_iter().filter(|[old, _]| map.contains_key(*old)).collect::<Vec<_>>();
                if let Some([old, new]) = like.get(at % like.len().max(1)) {
                    let value = map.remove(*old).unwrap();
                    map.insert((*new).to_owned(), value);
                }
            }
            Self::Alter(at) => {
                let Some(value) = key(map, at).and_then(|name| map.get_mut(&name)) else { return };
                match value {
                    Value::Number(number) => {
                        *value = number.as_i64().map_or(json!(0.5), |whole| json!(whole + 1))
                    }
                    Value::Array(list) => drop(list.pop()),
                    Value::Bool(flag) => *flag = !*flag,
                    _ => {}
                }
            }
        }
    }
}

/// How many mappings a schema has: itself, and those within it.
fn mappings(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(mappings).sum::<usize>(),
        Value::Array(list) => list.iter().map(mappings).sum(),
        _ => 0,
    }
}

/// Changes the mapping of this number.
fn change_at(value: &mut Value, number: &mut usize, change: &Change) {
    match value {
        Value::Object(map) => {
            if *number == 0 {
                change.clone().apply(map);
            }
            *number = number.wrapping_sub(1);
            map.values_mut().for_each(|child| change_at(child, number, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|child| change_at(child, number, change)),
        _ => {}
    }
}

/// Two schemas: any two, or two that differ in a few places.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let change = prop_oneof![
        2 => keyword(schema_of_depth(1)).prop_map(|(name, value)| Change::Insert(name, value)),
        2 => any::<usize>().prop_map(Change::Remove),
        1 => any::<usize>().prop_map(Change::Rename),
        2 => any::<usize>().prop_map(Change::Alter),
    ];
    let changes = prop::collection::vec((any::<usize>(), change), 1..3);
    let alike = (schema(), changes, any::<bool>()).prop_map(|(one, changes, turned)| {
        let mut other = one.clone();
        for (at, change) in changes {
            let count = mappings(&other).max(1);
            change_at(&mut other, &mut (at % count), &change);
        }
        if turned { (other, one) } else { (one, other) }
    });
    prop_oneof![1 => (schema(), schema()), 6 => alike]
}

/// As the runtime compiles it; `None` for what is no schema, or one that would never end.
fn compiled(schema: &Value) -> Option<Validator> {
    jsonschema::options().offline().should_validate_formats(true).build(schema).ok()
}

fn config() -> ProptestConfig {
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    // Most pairs have gaps.
    ProptestConfig { max_global_rejects: 1_000_000, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn without_gaps_every_value_is_accepted((narrow, wide) in pair()) {
        prop_assume!(narrow != wide && schema_gaps(&narrow, &wide).is_empty());
        let (Some(accepts), Some(refuses)) = (compiled(&narrow), compiled(&wide)) else { return Ok(()) };
        for value in VALUES.iter() {
            prop_assert!(
                !accepts.is_valid(value) || refuses.is_valid(value),
                "{value} fits {narrow}, and not {wide}"
            );
        }
    }

    #[test]
    fn a_schema_accepts_what_it_accepts(schema in schema()) {
        prop_assert_eq!(schema_gaps(&schema, &schema.clone()), []);
    }
}
