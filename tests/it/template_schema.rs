//! `tasker schema` and `Builder::template_schema`.

use std::fs;

use serde_json::{Value, json};
use tasker_runtime::{StepContext, StepResult, Tasker};
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{greeting, json as json_of, root, shop, tasker, text};
use crate::support::template;

#[test]
fn the_published_schema_is_what_the_command_prints() {
    let output = tasker(["schema"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let published = fs::read_to_string(root().join("docs/template.schema.json")).unwrap();
    let write = "run `cargo run -- schema --out docs/template.schema.json`";
    assert!(text(&output.stdout) == published, "the published schema is out of date: {write}");
}

#[test]
fn the_schema_of_a_program_has_its_handlers_and_namespaces() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("template.schema.json");
    let output = output_of(greeting().args(["schema".as_ref(), "--out".as_ref(), path.as_os_str()]));
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let callable = &schema["definitions"]["handler"]["properties"]["callable"];
    assert_eq!(callable["enum"], json!(["Greeting::FindName", "Greeting::Greet"]));
    let greet = "`greet` in examples/greeting.rs; reads the results of `find_name`";
    assert_eq!(callable["enumDescriptions"][1], greet);
    assert_eq!(schema["properties"]["namespace_name"]["enum"], json!(["docs"]));

    let schema = json_of(&output_of(shop().arg("schema")));
    assert_eq!(schema["properties"]["namespace_name"]["enum"], json!(["shop"]));
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("no/such/place.json");
    let output = tasker(["schema".as_ref(), "--out".as_ref(), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with(&format!("error: cannot write {}: ", path.display())));
}

#[test]
fn callables_of_namespaces_that_other_programs_serve_are_known() {
    let elsewhere = template("a").replace("namespace_name: test", "namespace_name: bank");
    let builder = || {
        Tasker::builder()
            .only_listed_handlers()
            .handler_fn("b", |_: StepContext| async { StepResult::Ok(()) })
            .template_str("flow.yaml", template("b"))
            .template_str("bank.yaml", &elsewhere)
    };
    let callables =
        |schema: &Value| schema["definitions"]["handler"]["properties"]["callable"]["enum"].clone();
    let namespaces = json!(["bank", "test"]);
    let serves_all = builder().template_schema().unwrap();
    assert_eq!(callables(&serves_all), json!(["b"]));
    assert_eq!(serves_all["properties"]["namespace_name"]["enum"], namespaces);
    let serves_one = builder().namespaces(["test"]).template_schema().unwrap();
    assert_eq!(callables(&serves_one), json!(["a", "b"]));
    assert_eq!(serves_one["properties"]["namespace_name"]["enum"], namespaces);
    // Without handlers, nothing of a program is known.
    let without = Tasker::builder().only_listed_handlers().template_str("flow.yaml", template("b"));
    assert_eq!(callables(&without.template_schema().unwrap()), Value::Null);
    let unreadable = builder().templates("no/such/place").template_schema().unwrap_err();
    assert!(unreadable.to_string().contains("cannot read the directory of templates"), "{unreadable}");
}
