//! What templates give to handlers in `handler.initialization`, by type.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;
use tasker::validator::Validate;

#[derive(Debug, Serialize, Deserialize, Validate)]
#[validate(crate = "tasker::validator")]
struct Gateway {
    #[validate(url(message = "is no URL"))]
    url: String,
    #[serde(default)]
    limits: Vec<u32>,
}

#[step_handler("Configs::Whole")]
async fn whole(#[config] gateway: &Gateway) -> String {
    format!("{} {:?}", gateway.url, gateway.limits)
}

#[step_handler("Configs::Keys")]
async fn keys(
    #[config("url")] url: String,
    #[config("limit")] limit: Option<u32>,
    #[config("gateway")] gateway: Option<Gateway>,
) -> String {
    format!("{url} {limit:?} {gateway:?}")
}

#[step_handler("Configs::WithContext")]
async fn with_context(#[config("url")] url: String, context: StepContext) -> StepResult<String> {
    Ok(format!("{url} {}", context.config::<u32>("other")?))
}

#[step_handler("Configs::Optional")]
async fn optional(#[config] gateway: Option<Gateway>) -> bool {
    gateway.is_some()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Means {
    Card { digits: u32 },
    Cash,
}

#[step_handler("Configs::Means")]
async fn means(#[config("means")] means: Means) -> u32 {
    match means {
        Means::Card { digits } => digits,
        Means::Cash => 0,
    }
}

#[step_handler("Configs::Ignored")]
async fn ignored(#[config] _: serde::de::IgnoredAny) {}

/// A template of one step.
fn template(callable: &str, initialization: &str) -> String {
    format!(
        "name: configs
namespace_name: tests
version: 1.0.0
steps:
  - name: fetch
    handler:
      callable: Configs::{callable}
      initialization: {initialization}
"
    )
}

fn builder(yaml: &str) -> tasker::Builder {
    let builder = Tasker::builder().only_listed_handlers().store_url("memory:");
    let builder =
        builder.handler::<whole>().handler::<keys>().handler::<with_context>().handler::<optional>();
    let builder = builder.handler::<means>().handler::<ignored>();
    builder.template_str("configs.yaml", yaml)
}

/// The faults of the configuration: severity, place and message of each.
fn faults(yaml: &str) -> Vec<(String, String)> {
    let validation = builder(yaml).validate();
    let of_configs =
        validation.diagnostics.iter().filter(|fault| fault.code.number().to_string() != "TSK406");
    of_configs
        .map(|fault| {
            (format!("{} {}:{}", fault.code.number(), fault.line, fault.column), fault.message.clone())
        })
        .collect()
}

async fn output(yaml: &str) -> String {
    let tasker = builder(yaml).build().await.unwrap();
    let task = tasker.create_task(NewTask::new("tests", "configs", &serde_json::json!({}))).await.unwrap();
    let task = tasker.wait(task).await.unwrap();
    let output = task.steps[0].result.as_ref().map(|json| json.get().to_owned());
    tasker.shutdown().await;
    output.unwrap_or_else(|| format!("{task:?}"))
}

#[tokio::test]
async fn a_handler_takes_its_configuration_by_type() {
    assert_eq!(output(&template("Whole", "{url: 'http://a', limits: [1, 2]}")).await, r#""http://a [1, 2]""#);
    assert_eq!(output(&template("Keys", "{url: a}")).await, r#""a None None""#);
    assert_eq!(output(&template("WithContext", "{url: a, other: 3}")).await, r#""a 3""#);
    assert_eq!(output(&template("Optional", "{}")).await, "false");
    assert_eq!(output(&template("Optional", "{url: 'http://a'}")).await, "true");
}

#[test]
fn each_fault_has_its_place_in_the_template() {
    let one = |callable: &str, initialization: &str| {
        let faults = faults(&template(callable, initialization));
        let [(place, message)] = &faults[..] else { panic!("{faults:?}") };
        let message = message.split(", which handler").next().unwrap();
        format!("{place} {message}")
    };
    assert_eq!(
        one("Whole", "{url: 'http://a', limits: [1, -2]}"),
        "TSK413 8:53 step `fetch`: the handler's initialization cannot be read: `limits[1]`: invalid value: \
         integer `-2`, expected u32"
    );
    assert_eq!(
        one("Whole", "{limits: []}"),
        "TSK413 8:7 step `fetch`: the handler's initialization cannot be read: missing field `url`"
    );
    assert_eq!(
        one("Whole", "{url: a}"),
        "TSK413 8:29 step `fetch`: the handler's initialization is invalid: `url` is no URL"
    );
    assert_eq!(
        one("Keys", "{limit: 1}"),
        "TSK413 8:7 step `fetch`: `url` of the handler's initialization is missing"
    );
    assert_eq!(
        one("Keys", "{url: a, limit: many}"),
        "TSK413 8:39 step `fetch`: `limit` of the handler's initialization cannot be read: invalid type: string \
         \"many\", expected u32"
    );
    assert_eq!(
        one("Keys", "{url: a, gateway: {url: b}}"),
        "TSK413 8:47 step `fetch`: `gateway` of the handler's initialization is invalid: `url` is no URL"
    );
}

#[test]
fn a_value_within_an_enum_has_its_place() {
    let faults = faults(&template("Means", "{means: {card: {digits: many}}}"));
    assert!(faults.len() == 1 && faults[0].0 == "TSK413 8:47", "{faults:?}");
}

#[test]
fn a_configuration_that_is_ignored_is_no_matter() {
    assert_eq!(faults(&template("Ignored", "{url: a}")), []);
}

#[test]
fn what_an_environment_gives_to_all_steps_is_not_meant_for_each() {
    let of_all = "environments:\n  test:\n    steps:\n      - name: NAME\n        \
                  handler: {initialization: {region: eu}}\n";
    let warnings = |name: &str| {
        let yaml = template("Keys", "{url: a}") + &of_all.replace("NAME", name);
        let validation = builder(&yaml).environment("test").validate();
        validation.diagnostics.iter().filter(|fault| fault.code.number().to_string() == "TSK414").count()
    };
    assert_eq!((warnings("ALL"), warnings("fetch")), (0, 1));
}

#[test]
fn what_a_handler_does_not_take_is_a_warning() {
    let one = |callable: &str, initialization: &str| {
        let validation = builder(&template(callable, initialization)).validate();
        assert!(validation.is_valid(), "{}", validation.diagnostics);
        let faults = faults(&template(callable, initialization));
        faults.into_iter().map(|(place, message)| format!("{place} {message}")).collect::<String>()
    };
    let warning = one("Keys", "{url: a, limti: 2}");
    assert!(warning.starts_with("TSK414 8:39 step `fetch` has `limti` in its configuration"), "{warning}");
    let warning = one("Whole", "{url: 'http://a', tiemout: 2}");
    assert!(warning.starts_with("TSK414 8:50 step `fetch` has `tiemout` in its configuration"), "{warning}");
    // It may read what no parameter takes.
    assert_eq!(one("WithContext", "{url: a, other: 2}"), "");
}

#[tokio::test]
async fn a_runtime_with_a_wrong_configuration_does_not_start() {
    let error = builder(&template("Keys", "{}")).build().await.unwrap_err().to_string();
    assert!(error.contains("error[TSK413]") && error.contains("configs.yaml:8:7"), "{error}");
}

#[tokio::test]
async fn a_configuration_is_that_of_the_environment() {
    let yaml = template("Keys", "{limit: 2}")
        + "environments:
  test:
    steps:
      - name: fetch
        handler: {initialization: {url: sandbox}}
  broken:
    steps:
      - name: ALL
        handler: {initialization: {url: [1]}}
";
    assert!(!builder(&yaml).validate().is_valid());
    assert!(builder(&yaml).environment("test").validate().is_valid());
    let validation = builder(&yaml).environment("broken").validate();
    let fault =
        validation.diagnostics.iter().find(|fault| fault.code.number().to_string() == "TSK413").unwrap();
    assert_eq!((fault.line, fault.column), (17, 36));
    assert!(fault.message.starts_with("step `fetch` in environment `broken`: `url`"), "{}", fault.message);
}
