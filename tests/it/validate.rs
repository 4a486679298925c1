//! `Builder::validate` and `tasker validate` find what a start refuses.

use std::fs;

use std::time::Duration;

use serde_json::{Value, json};
use tasker_runtime::error::Validation;
use tasker_runtime::{Builder, State, StepContext, StepResult, Tasker, step_handler};
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{greeting, json, shop, tasker, text};
use crate::support::template;

#[derive(Clone)]
struct Till;

#[derive(Clone)]
struct Printer;

#[derive(Clone)]
struct Drawer;

#[step_handler("V::Sell")]
async fn sell(_: State<Till>, _: State<Printer>, _: State<Drawer>) {}

const SELL: &str = "{name: sell, namespace_name: test, version: 1, \
    steps: [{name: sell, handler: {callable: 'V::Sell'}}], environments: {production: , test: }}";

fn plain() -> Builder {
    Tasker::builder().only_listed_handlers().store_url("sqlite:///no/such/place/t.db")
}

fn with_a() -> Builder {
    plain()
        .handler_fn("a", |_: StepContext| async { StepResult::Ok(()) })
        .template_str("a.yaml", template("a"))
}

/// All kinds of faults, each as often as its part is to be told.
fn faulty() -> Vec<(Builder, &'static str, usize, &'static str)> {
    let again = |builder: Builder| builder.handler_fn("a", |_: StepContext| async { StepResult::Ok(()) });
    let unreadable = || with_a().template_str("bad.yaml", "name: [");
    vec![
        (again(with_a()), "two handlers are registered as `a`", 1, "DUPLICATE_HANDLER"),
        (
            plain().handler::<sell>().template_str("sell.yaml", SELL),
            "but the builder was given none",
            3,
            "MISSING_STATE",
        ),
        (with_a().state(Till).state(Till), "two states of type `it::validate::Till`", 1, "DUPLICATE_STATE"),
        (
            with_a().template_str("b.yaml", template("a")),
            "is there twice: in a.yaml and in b.yaml",
            1,
            "DUPLICATE_TEMPLATE",
        ),
        (
            with_a().namespaces(["tets"]),
            "in the namespace `tets`; did you mean `test`?",
            1,
            "UNKNOWN_NAMESPACE",
        ),
        (
            with_a().environment("live"),
            "no template here has the environment `live`",
            1,
            "UNKNOWN_ENVIRONMENT",
        ),
        (
            with_a().templates("no/such/place"),
            "cannot read the directory of templates no/such/place",
            1,
            "UNREADABLE",
        ),
        (with_a().concurrency(0), "`concurrency` is 0, and must be from 1 to ", 1, "OUT_OF_RANGE"),
        (with_a().max_depth(200), "`max_depth` is 200, and must be from 1 to 127", 1, "OUT_OF_RANGE"),
        (
            with_a().poll_interval(Duration::ZERO).reap_interval(Duration::MAX),
            "and must be from 1ms to 86400s",
            2,
            "OUT_OF_RANGE",
        ),
        (with_a().backoff_scale(f64::NAN), "`backoff_scale` is NaN, and must be", 1, "OUT_OF_RANGE"),
        (unreadable(), "bad.yaml", 1, "SYNTAX"),
        (
            with_a().template_str("c.yaml", template("c").replace("flow", "other")),
            "callable `c` of step `c`",
            1,
            "UNKNOWN_CALLABLE",
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_fault_is_found_as_at_the_start() {
    let validated = faulty().into_iter().map(|(builder, ..)| builder.validate());
    for ((builder, part, count, code), validation) in faulty().into_iter().zip(validated) {
        let started = builder.build().await.map(drop).unwrap_err().to_string();
        assert_eq!(started.matches(part).count(), count, "{started}");
        let Validation { ref diagnostics, .. } = validation;
        let page = diagnostics.to_string();
        assert_eq!(page.matches(part).count(), count, "{page}");
        assert!(!validation.is_valid());
        let codes = serde_json::to_value(diagnostics).unwrap();
        assert!(codes.as_array().unwrap().iter().all(|one| one["code"] == code), "{codes}");
    }
    // The store is not looked at.
    assert!(with_a().validate().is_valid());
    assert!(with_a().build().await.is_err());
}

#[test]
fn a_handler_that_no_template_runs_is_a_warning() {
    let states = |builder: Builder| builder.state(Till).state(Printer).state(Drawer);
    let validation = states(with_a().handler::<sell>()).validate();
    assert!(validation.is_valid());
    let page = validation.diagnostics.to_string();
    assert!(
        page.starts_with("warning[TSK406]: no template runs handler `sell` (tests/it/validate.rs:"),
        "{page}"
    );
    assert!(page.ends_with("which is registered as `V::Sell`"), "{page}");
    // A builder that runs nothing needs no handlers, and no state of theirs.
    assert!(with_a().handler::<sell>().without_worker().validate().diagnostics.is_empty());
}

/// `validate --json` of a program with handlers, with its exit code.
fn validated(program: fn() -> std::process::Command, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = output_of(program().args([&["validate", "--json"], arguments].concat()));
    (output.status.code(), json(&output))
}

fn codes(answer: &Value) -> Vec<&str> {
    let all = answer["diagnostics"].as_array().unwrap().iter();
    all.map(|one| one["code"].as_str().unwrap()).collect()
}

#[test]
fn a_program_validates_what_its_worker_would_refuse() {
    let directory = TempDir::new().unwrap();
    let yaml = fs::read_to_string("templates/greeting.yaml").unwrap();
    for name in ["greeting.yaml", "copy.yaml"] {
        fs::write(directory.path().join(name), &yaml).unwrap();
    }
    let path = directory.path().to_str().unwrap();
    let (code, answer) = validated(greeting, &[path]);
    assert_eq!((code, &answer["valid"], &answer["templates"]), (Some(1), &json!(false), &json!(2)));
    assert_eq!(codes(&answer), ["DUPLICATE_TEMPLATE"]);
    let worker = output_of(greeting().args(["worker", path, "--store", "memory:"]));
    assert_eq!(worker.status.code(), Some(3));
    let message = answer["diagnostics"][0]["message"].as_str().unwrap();
    assert!(text(&worker.stderr).contains(message), "{message}");
    // Without handlers it is found as well.
    assert_eq!(tasker(["validate", path]).status.code(), Some(1));

    // Another version is another template.
    fs::write(directory.path().join("copy.yaml"), yaml.replace("1.0.0", "1.1.0")).unwrap();
    assert_eq!(validated(greeting, &[path]).0, Some(0));
}

#[test]
fn a_handler_that_the_programs_own_templates_run_is_used() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("half.yaml");
    let path = path.to_str().unwrap();
    // What the program's own templates run is used, whichever template is validated.
    fs::write(path, template("a").replace("callable: a", "callable: Shop::Reserve")).unwrap();
    let (code, answer) = validated(shop, &[path]);
    assert_eq!((code, codes(&answer)), (Some(0), Vec::new()));
}
