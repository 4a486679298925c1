//! Compares the schemas of templates with the types of handlers that describe themselves.

use serde_json::{Map, Value, json};
use tasker_template::contract::{Gap, GapKind, schema_gaps};
use tasker_template::{Code, Diagnostics, LoadedTemplate, Severity};

use crate::build::registry::Handler;
use crate::handler::HandlerSchemas;

/// In what a schema and a type must agree. Bounds and formats are finer than most types are.
const COMPARED: [&str; 4] = ["type", "required", "enum", "const"];

/// Warns of contexts that the template accepts and the handler of a step cannot read, and of results that the handler
/// returns and the template refuses.
pub(crate) fn check(loaded: &LoadedTemplate, step: usize, handler: &Handler, faults: &mut Diagnostics) {
    let template = loaded.template();
    let own = &template.steps[step];
    if template.input_schema.is_none() && own.result_schema.is_none() {
        return;
    }
    let schemas = (handler.schemas)();
    if let (Some(schema), Some(result)) = (&own.result_schema, &schemas.result) {
        for gap in gaps(result, schema) {
            let message = format!(
                "`result_schema` of step `{}` refuses results of {}: {}",
                own.name,
                handler.described(),
                difference(&gap, "the handler's type", "the schema")
            );
            let place = format!("/steps/{step}/result_schema{}", gap.refuses_at);
            faults.push(warning(loaded, &place, message));
        }
    }
    if let (Some(schema), Some(taken)) = (&template.input_schema, taken(&schemas, handler)) {
        for gap in gaps(schema, &taken) {
            let message = format!(
                "`input_schema` accepts contexts that {} of step `{}` cannot read: {}",
                handler.described(),
                own.name,
                difference(&gap, "the schema", "the handler's type")
            );
            faults.push(warning(loaded, &format!("/input_schema{}", gap.accepts_at), message));
        }
    }
}

/// Warns of contexts that a workflow's input is written as and the template refuses.
pub(crate) fn check_input(loaded: &LoadedTemplate, input: &Value, faults: &mut Diagnostics) {
    let Some(schema) = &loaded.template().input_schema else { return };
    for gap in gaps(input, schema) {
        let difference = difference(&gap, "the type", "the schema");
        let message = format!("`input_schema` refuses what the workflow's input is written as: {difference}");
        faults.push(warning(loaded, &format!("/input_schema{}", gap.refuses_at), message));
    }
}

fn gaps(narrow: &Value, wide: &Value) -> impl Iterator<Item = Gap> {
    // A schema that says nothing of a value contradicts no type.
    let is_open = |gap: &Gap| gap.keyword == "type" && gap.accepts == "any";
    let gaps = schema_gaps(narrow, wide).into_iter();
    gaps.filter(move |gap| {
        gap.kind == GapKind::Refused && COMPARED.contains(&gap.keyword.as_str()) && !is_open(gap)
    })
}

fn difference(gap: &Gap, accepts: &str, refuses: &str) -> String {
    let value = if gap.value.is_empty() { String::new() } else { format!("at `{}`, ", gap.value) };
    if gap.keyword == "required" {
        return format!("{value}{accepts} does not require a value, and {refuses} does");
    }
    format!("{value}{accepts} has {}, and {refuses} {}", gap.accepts, gap.refuses)
}

fn warning(loaded: &LoadedTemplate, place: &str, message: String) -> tasker_template::Diagnostic {
    loaded.source().diagnostic(Severity::Warning, loaded.span_at(place), Code::OtherType, message, None)
}

/// The schema of the contexts that the handler can read.
fn taken(schemas: &HandlerSchemas, handler: &Handler) -> Option<Value> {
    if schemas.input.is_some() {
        return schemas.input.clone();
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (parameter, schema) in handler.input_fields.iter().zip(&schemas.input_fields) {
        if let Some(schema) = schema.as_ref().filter(|schema| !has_references(schema)) {
            properties.insert(parameter.name.to_owned(), schema.clone());
            if !parameter.optional {
                required.push(parameter.name);
            }
        }
    }
    (!properties.is_empty()).then(|| json!({"properties": properties, "required": required}))
}

/// The schema of a handler's configuration, as far as its types describe themselves.
pub(crate) fn config_schema(handler: &Handler) -> Option<Value> {
    if handler.configs.is_empty() {
        return None;
    }
    let (mut schema, mut properties, mut required) = (Map::new(), Map::new(), Vec::new());
    // With keys alone, there are no others.
    let mut is_closed = !handler.reads_other_configs;
    for (parameter, described) in handler.configs.iter().zip((handler.schemas)().configs) {
        match (parameter.key, described) {
            (Some(key), described) => {
                let described = described.filter(|schema| !has_references(schema));
                properties.insert(key.to_owned(), described.unwrap_or(Value::Bool(true)));
                if !parameter.optional {
                    required.push(Value::from(key));
                }
            }
            (None, described) => {
                if let Some(Value::Object(whole)) = described {
                    schema = whole;
                }
                is_closed &= schema.get("additionalProperties") == Some(&Value::Bool(false));
                if parameter.optional {
                    schema.remove("required");
                }
            }
        }
    }
    if let Some(Value::Object(own)) = schema.remove("properties") {
        properties.extend(own);
    }
    if let Some(Value::Array(own)) = schema.remove("required") {
        required.extend(own);
    }
    if !is_closed {
        schema.remove("additionalProperties");
    } else {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), Value::Array(required));
    Some(Value::Object(schema))
}

/// Whether a schema refers to parts of itself, which are elsewhere once it is a part of another.
fn has_references(schema: &Value) -> bool {
    match schema {
        Value::Object(keywords) => keywords.contains_key("$ref") || keywords.values().any(has_references),
        Value::Array(items) => items.iter().any(has_references),
        _ => false,
    }
}
