//! The reader and the schema know the same keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fields::Report;
use crate::node::Node;
use crate::schema::TemplateSchema;
use crate::source::Source;

/// A template in which each mapping of the format is there.
const EACH_MAPPING: &str = "
steps:
- name: s
  handler: {callable: C}
  retry: {}
  publishes_events: [{name: a.b}]
  batch_config: {}
lifecycle: {}
environments: {test: {steps: [{name: s, handler: {}, retry: {}}]}}
";

/// Each mapping by its name in messages, and where the schema has it.
const MAPPINGS: [(&str, &str); 11] = [
    ("the template", ""),
    ("a step", "/definitions/step"),
    ("step `s`", "/definitions/step"),
    ("the handler of step `s`", "/definitions/handler"),
    ("`retry` of step `s`", "/definitions/retry"),
    ("an event of step `s`", "/definitions/step/properties/publishes_events/items"),
    ("`batch_config` of step `s`", "/definitions/step/properties/batch_config"),
    ("`lifecycle`", "/properties/lifecycle"),
    ("environment `test`", "/properties/environments/additionalProperties"),
    ("an override", "/properties/environments/additionalProperties/properties/steps/items"),
    (
        "`handler` of the override of `s`",
        "/properties/environments/additionalProperties/properties/steps/items/properties/handler",
    ),
];

#[test]
fn the_reader_and_the_schema_know_the_same_keys() {
    let source = Source::new("t.yaml", EACH_MAPPING);
    let root = Node::parse(&source, EACH_MAPPING).unwrap();
    let mut report = Report::new(&source);
    crate::read::template(&root, &mut report);
    let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (what, key) in &report.asked {
        let found = MAPPINGS.iter().find(|(mapping, _)| mapping == what);
        let (_, pointer) = found.unwrap_or_else(|| panic!("{what} is no mapping of the schema"));
        asked.entry(pointer).or_default().insert(key);
    }
    let schema = TemplateSchema::new().to_json();
    for (what, pointer) in MAPPINGS {
        let properties = schema.pointer(pointer).and_then(|one| one["properties"].as_object()).unwrap();
        let in_schema = properties.iter().filter(|(name, shape)| {
            // What no reader reads is there to be marked; the reader warns of it as of any unknown key.
            asked[pointer].contains(name.as_str()) || shape.get("deprecationMessage").is_none()
        });
        let in_schema: BTreeSet<&str> = in_schema.map(|(name, _)| name.as_str()).collect();
        assert_eq!(in_schema, asked[pointer], "{what}");
    }
}

#[test]
fn each_key_is_explained_and_no_reference_leads_nowhere() {
    /// `is_names` where the keys are names of the author's, and their values schemas.
    fn walk(value: &Value, is_names: bool, root: &Value, at: &str) {
        if let Some(to) = value["$ref"].as_str().filter(|_| !is_names) {
            assert!(root.pointer(to.trim_start_matches('#')).is_some(), "{at}: {to}");
        }
        match value {
            Value::Object(map) => {
                for (key, one) in map.iter().filter(|(key, _)| is_names || *key != "examples") {
                    let is_explained = one["description"].is_string() || at.contains("/allOf/");
                    assert!(!is_names || is_explained, "{at}/{key} has no description");
                    walk(one, key == "properties" && !is_names, root, &format!("{at}/{key}"));
                }
            }
            Value::Array(list) => list.iter().for_each(|one| walk(one, false, root, &format!("{at}/"))),
            _ => {}
        }
    }
    let schema = TemplateSchema::new().to_json();
    walk(&schema, false, &schema, "");
}
