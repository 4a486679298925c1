//! Types of handlers that describe themselves, beside the schemas of templates.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;
use tasker::schemars::{self, JsonSchema};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Receipt {
    id: String,
    lines: Vec<Line>,
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Line {
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Gateway {
    /// Where payments go.
    url: String,
    #[serde(default)]
    tries: u32,
}

/// It says nothing of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Opaque {
    id: u64,
}

#[step_handler("Described::Charge")]
async fn charge(
    #[input("cents")] cents: u64,
    #[input("note")] note: Option<String>,
    #[config] gateway: Gateway,
) -> StepResult<Receipt> {
    Ok(Receipt { id: gateway.url, lines: vec![Line { cents }], note })
}

#[step_handler("Described::Opaque")]
async fn opaque(#[input] order: Opaque, #[config("limit")] limit: Option<u8>) -> Opaque {
    let _ = limit;
    order
}

/// What the runtime says of a template with these schemas.
fn warnings(input: &str, result: &str, callable: &str) -> Vec<String> {
    let yaml = format!(
        "name: described
namespace_name: tests
version: 1.0.0
input_schema: {input}
steps:
  - name: charge
    handler: {{callable: Described::{callable}, initialization: {{url: u}}}}
    result_schema: {result}
"
    );
    let builder =
        Tasker::builder().only_listed_handlers().handler::<charge>().handler::<opaque>().handler::<tree>();
    let validation = builder.template_str("described.yaml", yaml).validate();
    assert!(validation.is_valid(), "{}", validation.diagnostics);
    let of_types = validation.diagnostics.iter().filter(|fault| fault.code.number().to_string() == "TSK415");
    of_types.map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.message)).collect()
}

const OPEN: &str = "{type: object}";

#[test]
fn schemas_that_have_what_the_types_have_are_no_matter() {
    let input = "{type: object, required: [cents], \
                 properties: {cents: {type: integer, minimum: 1}, note: {type: string}}}";
    let result = "{type: object, required: [id], properties: {id: {type: string}, lines: {type: array}}}";
    assert_eq!(warnings(input, result, "Charge"), [""; 0]);
    // A bound is finer than a type.
    let result = "{type: object, properties: {id: {type: string, minLength: 3}}}";
    assert_eq!(warnings(input, result, "Charge"), [""; 0]);
}

#[test]
fn a_result_that_the_schema_refuses_is_told_at_its_line() {
    let required = "{type: object, required: [cents]}";
    let [wrong] = &warnings(required, "{properties: {id: {type: integer}}}", "Charge")[..] else { panic!() };
    assert!(wrong.starts_with("8:"), "{wrong}");
    let told = "`result_schema` of step `charge` refuses results of handler `charge`";
    assert!(wrong.contains(told) && wrong.contains("at `id`"), "{wrong}");
    let warnings = warnings(required, "{properties: {lines: {items: {required: [count]}}}}", "Charge");
    assert!(warnings.len() == 1 && warnings[0].contains("at `lines[].count`"), "{warnings:?}");
}

#[test]
fn a_context_that_the_handler_cannot_read_is_told_at_its_line() {
    let [wrong] = &warnings("{required: [cents], properties: {cents: {type: string}}}", OPEN, "Charge")[..]
    else {
        panic!()
    };
    assert!(wrong.starts_with("4:") && wrong.contains("at `cents`"), "{wrong}");
    let told = warnings("{properties: {cents: {type: integer}}}", OPEN, "Charge");
    assert!(told.len() == 1 && told[0].contains("at `cents`"), "{told:?}");
}

#[test]
fn of_types_that_say_nothing_nothing_is_told() {
    assert_eq!(
        warnings("{required: [id], properties: {id: {type: string}}}", "{type: string}", "Opaque"),
        [""; 0]
    );
}

/// It contains others of its kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Tree {
    children: Vec<Tree>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Means {
    Card { digits: u32 },
    Cash,
}

#[step_handler("Described::Tree")]
async fn tree(#[input("tree")] tree: Tree, #[config("tree")] other: Option<Tree>) -> usize {
    tree.children.len() + other.map_or(0, |other| other.children.len())
}

#[step_handler("Described::Means")]
async fn means(#[config] means: Means) -> u32 {
    match means {
        Means::Card { digits } => digits,
        Means::Cash => 0,
    }
}

#[step_handler("Described::Optional")]
async fn optional(#[config] gateway: Option<Gateway>) -> bool {
    gateway.is_some()
}

#[test]
fn of_a_type_that_contains_itself_nothing_wrong_is_told() {
    let input = "{properties: {tree: {$ref: '#/$defs/tree'}}, required: [tree], $defs: {tree: {type: object, \
                 required: [children], properties: {children: {type: array, items: {$ref: '#/$defs/tree'}}}}}}";
    assert_eq!(warnings(input, "{type: integer}", "Tree"), [""; 0]);
}

#[derive(Debug, Serialize, JsonSchema, WorkflowInput)]
struct Order {
    cents: u64,
    note: Option<String>,
}

// The test that it writes compares `Order` with the template's `input_schema`.
tasker::workflow! {
    pub described_order(Order) = "tests/it/described.yaml" { charge }
}

#[test]
#[should_panic(expected = "`input_schema` refuses what the workflow's input is written as: at `cents`")]
fn an_input_that_the_template_refuses_fails_the_test_of_its_workflow() {
    let schema = serde_json::json!({"properties": {"cents": {"type": "string"}}, "required": ["cents"]});
    tasker::__private::workflow::check_values::<described_order::Workflow>(Some(schema));
}

#[test]
fn editors_know_the_configuration_of_a_handler() {
    let builder = Tasker::builder().only_listed_handlers().handler::<charge>().handler::<opaque>();
    let builder = builder.handler::<tree>().handler::<means>().handler::<optional>();
    let schema = builder.template_schema().unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let template = |callable: &str, initialization: serde_json::Value| {
        serde_json::json!({
            "name": "a", "namespace_name": "b", "version": "1.0.0",
            "steps": [{"name": "s", "handler": {"callable": callable, "initialization": initialization}}],
        })
    };
    let is_valid = |callable, initialization| validator.is_valid(&template(callable, initialization));
    assert!(is_valid("Described::Charge", serde_json::json!({"url": "x", "tries": 3})));
    assert!(!is_valid("Described::Charge", serde_json::json!({"url": 3})));
    assert!(!is_valid("Described::Charge", serde_json::json!({"tries": 3})));
    assert!(is_valid("Described::Opaque", serde_json::json!({"limit": 3})));
    assert!(!is_valid("Described::Opaque", serde_json::json!({"limti": 3})));
    assert!(is_valid("Described::Opaque", serde_json::json!({"limit": null})));
    assert!(is_valid("Described::Optional", serde_json::json!({})));
    assert!(is_valid("Described::Means", serde_json::json!({"kind": "card", "digits": 3})));
    assert!(!is_valid("Described::Means", serde_json::json!({"kind": "cheque"})));
    assert!(is_valid("Described::Tree", serde_json::json!({"tree": {"children": []}})));
    assert!(schema.to_string().contains("Where payments go."));
}
