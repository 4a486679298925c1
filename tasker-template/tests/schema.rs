//! The schema of template files accepts what loads and refuses what does not, as far as a schema can see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use tasker_template::{Code, HandlerEntry, Severity, TemplateSchema, load_str, template_files};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const HEAD: &str = "name: a\nnamespace_name: b\nversion: 1\n";

fn compiled(schema: &TemplateSchema) -> Validator {
    jsonschema::options().with_draft(Draft::Draft7).build(&schema.to_json()).unwrap()
}

fn parsed(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

#[track_caller]
fn assert_accepts(schema: &Validator, yaml: &str, what: &str) {
    let value = parsed(yaml);
    let errors: Vec<String> =
        schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

#[test]
fn the_schema_is_one_of_draft_7() {
    let schema = TemplateSchema::new().to_json();
    assert!(jsonschema::draft7::meta::is_valid(&schema));
}

#[test]
fn the_templates_of_the_repository_are_accepted() {
    let schema = compiled(&TemplateSchema::new());
    let mut files = template_files(format!("{ROOT}/templates")).unwrap();
    assert!(files.len() >= 12, "{files:?}");
    files.extend(template_files(format!("{ROOT}/examples")).unwrap());
    for file in files {
        assert_accepts(&schema, &fs::read_to_string(&file).unwrap(), &file.display().to_string());
    }
}

/// Small templates in which, taken together, every key of the format has a value.
const EVERY_KEY: [&str; 4] = [
    r"
name: every_key
namespace_name: docs
version: 1.0
description: text
metadata: {author: Ada, notes: n}
system_dependencies: {primary: default}
domain_events: [{name: order.made}]
input_schema: {type: object, required: [order]}
task_handler: {callable: T}
lifecycle:
  max_duration_minutes: 1440
  max_waiting_for_dependencies_minutes: 60
  max_waiting_for_retry_minutes: 30
  max_steps_in_process_minutes: 30
  staleness_action: dlq
  auto_fail_on_timeout: true
  auto_dlq_on_timeout: false
steps: [{name: first, handler: {callable: C}}]
environments: {production: }
",
    r"
name: steps
namespace_name: docs
version: 1
steps:
- name: first
  description: text
  handler: {callable: 'A::First', method: go, resolver: explicit, initialization: {a: 1}}
  type: standard
  system_dependency: mail
  dependencies: []
  retry:
    {retryable: true, max_attempts: 3, backoff: none, backoff_base_ms: 50, max_backoff_ms: 500, jitter: true}
  timeout_seconds: 30
  publishes_events: [{name: order.made, condition: always}]
  result_schema: {type: array}
",
    r"
name: types
namespace_name: docs
version: 1
steps:
- {name: first, handler: {callable: C}, retry: {limit: 3, initial_delay: 0.5, max_delay: 60}}
- {name: choose, step_type: decision, depends_on: [first], handler: {callable: C}}
- name: work
  type: batch_worker
  dependencies: [choose]
  handler: {callable: Work}
  composition: {name: c}
  batch_config:
    {batch_size: 10, parallelism: 2, cursor_field: id, worker_template: work, failure_strategy: isolate}
",
    r"
name: environments
namespace_name: docs
version: 1
steps: [{name: first, handler: {callable: C}}]
environments:
  test: {steps: [{name: ALL, timeout_seconds: 5, retry: {limit: 1}, handler: {initialization: {a: 1}}}]}
",
];

/// What only the reader can see: it concerns several places of a file, or how a number is written.
const ONLY_THE_READER: [Code; 7] = [
    Code::CycleDetected,
    Code::DuplicateKey,
    Code::DuplicateStepName,
    Code::InexactNumber,
    Code::MissingDepRef,
    Code::SelfDependency,
    Code::Syntax,
];

/// All values below this one, as JSON pointers.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, one)| {
            pointers(one, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, one)| pointers(one, &format!("{at}/{index}"), all));
        }
        _ => {}
    }
}

/// Every template that is one change away from this one: each value replaced, and each left out.
fn neighbours(yaml: &str) -> Vec<(String, Value)> {
    let whole = parsed(yaml);
    let mut all = Vec::new();
    pointers(&whole, "", &mut all);
    let mut neighbours = Vec::new();
    for pointer in all {
        for other in [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(101),
            json!(10_081),
            json!(2_592_001),
            json!(u64::from(u32::MAX) + 1),
            json!(-1),
            json!(0.5),
            json!(""),
            json!(" "),
            json!("a b"),
            json!("a\nb"),
            json!("ALL"),
            json!("x".repeat(51)),
            json!("x".repeat(256)),
            json!([]),
            json!([null]),
            json!(["first"]),
            json!({}),
            json!({"unknown": 1}),
        ] {
            let mut changed = whole.clone();
            *changed.pointer_mut(&pointer).unwrap() = other.clone();
            neighbours.push((format!("{pointer} = {other}"), changed));
        }
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        let mut changed = whole.clone();
        if let Some(map) = changed.pointer_mut(parent).and_then(Value::as_object_mut) {
            map.remove(key);
            neighbours.push((format!("{pointer} left out"), changed));
        }
    }
    neighbours
}

#[test]
fn the_reader_and_the_schema_agree_on_everything_that_is_one_change_away() {
    let schema = compiled(&TemplateSchema::new());
    for yaml in EVERY_KEY {
        load_str("t.yaml", yaml).unwrap();
        assert_accepts(&schema, yaml, yaml);
    }
    let (mut accepted, mut refused) = (0, 0);
    for (what, value) in EVERY_KEY.into_iter().flat_map(neighbours) {
        let loaded = load_str("t.yaml", &value.to_string());
        let accepts = schema.is_valid(&value);
        match loaded {
            Ok(loaded) => {
                // The reader does not look into schemas.
                if !what.starts_with("/input_schema") && !what.contains("/result_schema") {
                    // An unknown key is a warning of the reader and a fault of the schema.
                    let is_known = !loaded.warnings().to_string().contains("`unknown` has no meaning");
                    assert_eq!(accepts, is_known, "{what}: {}", loaded.warnings());
                }
                accepted += 1;
            }
            Err(faults) => {
                let visible: BTreeSet<&str> = faults
                    .iter()
                    .filter(|one| one.severity == Severity::Error)
                    .filter(|one| !ONLY_THE_READER.contains(&one.code))
                    .map(|one| one.message.as_str())
                    .filter(|message| !message.contains("but no delay may be longer"))
                    .collect();
                assert!(visible.is_empty() || !accepts, "{what}: the schema does not see {visible:?}");
                refused += 1;
            }
        }
    }
    assert!(accepted > 500 && refused > 500, "{accepted} {refused}");
}

/// A list of steps that is as it should be.
const STEPS: &str = "steps: [{name: a, handler: {callable: C}}]";

/// Templates with one mistake each, which both refuse. Those that do not begin with a brace get a head.
const REFUSED: [(&str, &str); 26] = [
    ("no name", "{namespace_name: b, version: 1, STEPS}"),
    ("no namespace", "{name: a, version: 1, STEPS}"),
    ("no version", "{name: a, namespace_name: b, STEPS}"),
    ("an empty name", "{name: '', namespace_name: b, version: 1, STEPS}"),
    ("a blank name", "{name: '  ', namespace_name: b, version: 1, STEPS}"),
    ("a name without a value", "{name: , namespace_name: b, version: 1, STEPS}"),
    ("a name of two lines", "{name: \"a\\nb\", namespace_name: b, version: 1, STEPS}"),
    ("a namespace with a dash", "{name: a, namespace_name: b-c, version: 1, STEPS}"),
    ("a namespace that begins with a digit", "{name: a, namespace_name: 7b, version: 1, STEPS}"),
    ("half of a key", "{name: a, namespace: b, version: 1, STEPS}"),
    ("no steps", ""),
    ("an empty list of steps", "steps: []"),
    ("steps without a value", "steps:"),
    ("steps as a mapping", "steps: {a: {handler: {callable: C}}}"),
    ("a step that is only a name", "steps: [a]"),
    ("a step without a name", "steps: [{handler: {callable: C}}]"),
    ("a step without a handler", "steps: [{name: a}]"),
    ("a handler that is only a name", "steps: [{name: a, handler: run}]"),
    ("a handler without a callable", "steps: [{name: a, handler: {}}]"),
    ("an empty callable", "steps: [{name: a, handler: {callable: ''}}]"),
    ("a misspelt handler", "steps: [{name: a, handlr: {callable: C}}]"),
    ("settings as a list", "steps: [{name: a, handler: {callable: C, initialization: [1]}}]"),
    ("metadata as a list", "metadata: []\nSTEPS"),
    ("a life beyond 30 days", "lifecycle: {max_duration_minutes: 43201}\nSTEPS"),
    ("environments as a list", "environments: [test]\nSTEPS"),
    ("an override of nothing", "environments: {test: {steps: [{timeout_seconds: 5}]}}\nSTEPS"),
];

/// The same, with one mistake in the further keys of a step.
const REFUSED_IN_A_STEP: [(&str, &str); 20] = [
    ("dependencies that are no list", "dependencies: a"),
    ("a dependency that is a mapping", "dependencies: [{a: 1}]"),
    ("both spellings of dependencies", "dependencies: [], depends_on: []"),
    ("both spellings of a type", "type: standard, step_type: standard"),
    ("an unknown type", "type: parallel"),
    ("a decision of nothing", "type: decision"),
    ("a batch worker without a batch", "type: batch_worker"),
    (
        "a batch that lacks its size",
        "batch_config: {parallelism: 1, cursor_field: c, worker_template: w, failure_strategy: isolate}",
    ),
    ("retry that is a number", "retry: 3"),
    ("too many attempts", "retry: {max_attempts: 101}"),
    ("attempts in words", "retry: {max_attempts: three}"),
    ("both spellings of attempts", "retry: {max_attempts: 3, limit: 3}"),
    ("a misspelt backoff", "retry: {backoff: exponentiel}"),
    ("a negative delay", "retry: {initial_delay: -1}"),
    ("a delay beyond 30 days", "retry: {max_backoff_ms: 2592000001}"),
    ("both spellings of a delay", "retry: {initial_delay: 1, backoff_base_ms: 1000}"),
    ("retryable in words", "retry: {retryable: 'yes'}"),
    ("no time at all", "timeout_seconds: 0"),
    ("a fraction of a second", "timeout_seconds: 1.5"),
    ("an event without a name", "publishes_events: [{condition: always}]"),
];

/// Keys that are misspelt: a warning of the reader, which reads them over.
const MISSPELT: [&str; 8] = [
    "descripton: text\nSTEPS",
    "steps: [{name: a, handler: {callable: C}, dependancies: []}]",
    "steps: [{name: a, handler: {callable: C, initialisation: {}}}]",
    "steps: [{name: a, handler: {callable: C}, retry: {max_atempts: 1}}]",
    "lifecycle: {max_duration: 5}\nSTEPS",
    "environments: {test: {step: []}}\nSTEPS",
    "environments: {test: {steps: [{name: a, timeout: 5}]}}\nSTEPS",
    "environments: {test: {steps: [{name: a, handler: {init: {}}}]}}\nSTEPS",
];

/// Mistakes that the schema accepts, each with the code by which the reader refuses it.
const ACCEPTED: [(&str, Code); 6] = [
    ("steps: [{name: a, handler: {callable: C}, dependencies: [b]}]", Code::MissingDepRef),
    ("steps: [{name: a, handler: {callable: C}, dependencies: [a]}]", Code::SelfDependency),
    (
        "steps: [{name: a, handler: {callable: C}}, {name: a, handler: {callable: C}}]",
        Code::DuplicateStepName,
    ),
    (
        "steps: [{name: a, handler: {callable: C}, depends_on: [b]}, \
                 {name: b, handler: {callable: C}, depends_on: [a]}]",
        Code::CycleDetected,
    ),
    (
        "steps: [{name: a, handler: {callable: C}, retry: {initial_delay: 9, max_delay: 3}}]",
        Code::InvalidValue,
    ),
    ("steps: [{name: a, handler: {callable: C}, timeout_seconds: 030}]", Code::WrongType),
];

fn whole(yaml: &str) -> String {
    let yaml = yaml.replace("STEPS", STEPS);
    if yaml.starts_with('{') { yaml } else { format!("{HEAD}{yaml}") }
}

#[test]
fn a_mistake_that_a_schema_can_see_is_refused_by_both() {
    let schema = compiled(&TemplateSchema::new());
    let in_a_step = |keys: &str| format!("steps: [{{name: a, handler: {{callable: C}}, {keys}}}]");
    let in_steps = REFUSED_IN_A_STEP.map(|(mistake, keys)| (mistake, in_a_step(keys)));
    for (mistake, yaml) in
        REFUSED.map(|(mistake, yaml)| (mistake, yaml.to_owned())).into_iter().chain(in_steps)
    {
        let yaml = whole(&yaml);
        assert!(load_str("t.yaml", &yaml).is_err(), "the reader accepts {mistake}");
        assert!(!schema.is_valid(&parsed(&yaml)), "the schema accepts {mistake}");
    }
    for yaml in ["[{name: a}]", "text", "7", ""] {
        assert!(load_str("t.yaml", yaml).is_err() && !schema.is_valid(&parsed(yaml)), "{yaml}");
    }
}

#[test]
fn a_misspelt_key_is_a_warning_of_the_reader_and_a_fault_of_the_schema() {
    let schema = compiled(&TemplateSchema::new());
    for yaml in MISSPELT.map(whole) {
        let loaded = load_str("t.yaml", &yaml).unwrap();
        let codes: Vec<Code> = loaded.warnings().iter().map(|one| one.code).collect();
        assert_eq!(codes, [Code::UnknownKey], "{yaml}");
        assert!(!schema.is_valid(&parsed(&yaml)), "{yaml}");
    }
}

#[test]
fn what_concerns_several_places_is_seen_by_the_reader_alone() {
    let schema = compiled(&TemplateSchema::new());
    for (yaml, code) in ACCEPTED {
        let yaml = whole(yaml);
        let faults = load_str("t.yaml", &yaml).unwrap_err();
        assert!(faults.iter().any(|one| one.code == code), "{faults}");
        assert_accepts(&schema, &yaml, &yaml);
    }
}

/// A program with three callables, of which one has two methods, and one no method `call`.
fn program() -> TemplateSchema {
    let config = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"$ref": "#/$defs/Url"}},
        "additionalProperties": false,
        "$defs": {"Url": {"type": "string", "minLength": 3}},
    });
    TemplateSchema::new()
        .namespace("shop")
        .namespace("bank")
        .handler(HandlerEntry::new("Shop::Charge").config_schema(config).description("Charges a card."))
        .handler(HandlerEntry::new("Shop::Charge").method("refund").config_schema(json!({
            "type": "object",
            "properties": {"limit": {"type": "integer"}},
        })))
        .handler(HandlerEntry::new("Shop::Greet").description("Says hello."))
        .handler(HandlerEntry::new("Shop::Report").method("daily"))
}

#[test]
fn a_program_enumerates_its_callables_methods_namespaces_and_settings() {
    let schema = compiled(&program());
    assert!(jsonschema::draft7::meta::is_valid(&program().to_json()));
    let in_namespace = |namespace: &str, handler: &str| {
        format!(
            "{{name: a, namespace_name: {namespace}, version: 1, steps: [{{name: s, handler: {handler}}}]}}"
        )
    };
    for handler in [
        "{callable: 'Shop::Greet'}",
        "{callable: 'Shop::Greet', method: call, initialization: {any: thing}}",
        "{callable: 'Shop::Greet', method: , initialization: }",
        "{callable: 'Shop::Charge', initialization: {url: 'https://bank.example'}}",
        "{callable: 'Shop::Charge', method: call, initialization: {url: 'https://bank.example'}}",
        "{callable: 'Shop::Charge', method: refund}",
        "{callable: 'Shop::Charge', method: refund, initialization: }",
        "{callable: 'Shop::Charge', method: refund, initialization: {limit: 7, more: true}}",
        "{callable: 'Shop::Report', method: daily}",
    ] {
        assert_accepts(&schema, &in_namespace("shop", handler), handler);
    }
    for handler in [
        "{callable: 'Shop::Gret'}",
        "{callable: 'Shop::Greet', method: refund}",
        "{callable: 'Shop::Charge'}",
        "{callable: 'Shop::Charge', initialization: }",
        "{callable: 'Shop::Charge', initialization: {}}",
        "{callable: 'Shop::Charge', initialization: {url: x}}",
        "{callable: 'Shop::Charge', initialization: {url: 'https://bank.example', timeout: 5}}",
        "{callable: 'Shop::Charge', method: refund, initialization: {limit: seven}}",
        "{callable: 'Shop::Report'}",
        "{callable: 'Shop::Report', method: call}",
    ] {
        assert!(!schema.is_valid(&parsed(&in_namespace("shop", handler))), "{handler}");
    }
    assert!(!schema.is_valid(&parsed(&in_namespace("shp", "{callable: 'Shop::Greet'}"))));
    assert_accepts(&schema, &in_namespace("bank", "{callable: 'Shop::Greet'}"), "bank");
}
