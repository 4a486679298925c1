//! `tasker diff`, as a person and as CI run it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{created, json, program, shop, sqlite, tasker, text};

const ORDER: &str = "\
name: order
namespace_name: shop
version: 1.0.0
input_schema:
  type: object
  properties:
    email: {type: string}
steps:
  - name: reserve
    handler: {callable: Reserve}
  - name: charge
    handler: {callable: Charge}
    dependencies: [reserve]
    result_schema:
      type: object
      properties: {cents: {type: integer}}
      required: [cents]
environments:
  test: {steps: [{name: charge, timeout_seconds: 5}]}
";

/// A directory with `a.yaml`, which is the order, and `b.yaml`, in which texts are replaced.
struct Files(TempDir);

impl Files {
    fn new(replaced: &[(&str, &str)]) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("a.yaml", ORDER);
        files.write("b.yaml", &with(replaced));
        files
    }

    fn write(&self, name: &str, yaml: &str) {
        fs::write(self.0.path().join(name), yaml).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `tasker diff` in this directory.
    fn diff(&self, arguments: &[&str]) -> Output {
        output_of(program().arg("diff").args(arguments).current_dir(self.0.path()))
    }

    fn json(&self) -> (Option<i32>, Value) {
        let output = self.diff(&["a.yaml", "b.yaml", "--json"]);
        (output.status.code(), json(&output))
    }
}

fn with(replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(ORDER.to_owned(), |yaml, (old, new)| {
        assert!(yaml.contains(old), "{old}");
        yaml.replace(old, new)
    })
}

#[test]
fn what_breaks_comes_first_with_its_line_and_the_last_line_sums_up() {
    let files = Files::new(&[
        ("1.0.0", "1.1.0"),
        ("Reserve", "Hold"),
        ("      required: [cents]\n", ""),
        ("    email: {type: string}", "    email: {type: string}\n    note: {type: string}"),
        ("    dependencies", "    timeout_seconds: 9\n    dependencies"),
    ]);
    let output = files.diff(&["a.yaml", "b.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "\
shop/order 1.0.0 -> shop/order 1.1.0

breaks tasks in flight and callers
  b.yaml:16:5   `result_schema` of step `charge` allows results that it refused: `cents`: `required` yes -> \
no; readers do not expect them, and in tasks in flight the old schema refuses them

breaks tasks in flight
  b.yaml:11:25  step `reserve` is run by `Hold`, and was by `Reserve`; tasks in flight ask for `Reserve`, \
which no step has any more: keep that handler until they end

breaks nothing
  b.yaml:3:10   the version is 1.1.0, and was 1.0.0: the same context or idempotency key makes a new task, \
also where version 1.0.0 has one
  b.yaml:8:5    `input_schema` declares `note`, and refuses only contexts that had it without being declared
  b.yaml:14:22  `timeout_seconds` of step `charge`: none -> 9

5 changes, 2 break tasks in flight, 1 breaks callers: breaking
"
    );
}

#[test]
fn without_a_breaking_change_it_exits_with_0() {
    let files = Files::new(&[("version: 1.0.0", "version: 1.0.1\ndescription: Orders")]);
    let output = files.diff(&["a.yaml", "b.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    let page = text(&output.stdout);
    assert!(page.ends_with("\n2 changes, none breaks anything: compatible\n"), "{page}");
    assert!(page.contains("\nbreaks nothing\n") && !page.contains("breaks callers"), "{page}");
    // The same file, and the same template in other words.
    files.write("b.yaml", &format!("# a comment\n{ORDER}").replace("[reserve]", "[ 'reserve' ]"));
    for after in ["a.yaml", "b.yaml"] {
        let output = files.diff(&["a.yaml", after]);
        let page = "shop/order 1.0.0 -> shop/order 1.0.0\n\nno changes: compatible\n";
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), page));
    }
}

#[test]
fn json_has_each_change_with_its_places() {
    let (code, answer) = Files::new(&[("name: charge\n ", "name: pay\n ")]).json();
    // The override of the environment names the step as it was.
    assert_eq!((code, &answer["breaking"], &answer["breaks_callers"]), (Some(1), &json!(true), &json!(1)));
    assert_eq!(
        answer["before"],
        json!({"file": "a.yaml", "namespace": "shop", "name": "order", "version": "1.0.0"})
    );
    let renamed = &answer["changes"][1];
    assert_eq!(
        (&renamed["kind"], &renamed["breaks"], &renamed["path"]),
        (&json!("step_renamed"), &json!(["callers"]), &json!("/steps/pay/name"))
    );
    assert_eq!(renamed["before"], json!({"file": "a.yaml", "line": 11, "column": 11}));
    assert_eq!(renamed["after"], json!({"file": "b.yaml", "line": 11, "column": 11}));

    let (code, answer) = Files::new(&[("1.0.0", "1.0.1")]).json();
    assert_eq!((code, &answer["breaking"]), (Some(0), &json!(false)));
    assert_eq!(answer["changes"].as_array().unwrap().len(), 1);
    let (_, answer) = Files::new(&[]).json();
    assert_eq!((&answer["changes"], &answer["breaks_tasks_in_flight"]), (&json!([]), &json!(0)));
}

#[test]
fn each_way_of_breaking_is_told_by_whom_it_breaks() {
    for (replaced, kind, breaks) in [
        (
            ("namespace_name: shop", "namespace_name: store"),
            "namespace",
            json!(["tasks_in_flight", "callers"]),
        ),
        (("name: order", "name: orders"), "name", json!(["callers"])),
        (
            ("  properties:\n", "  required: [email]\n  properties:\n"),
            "input_schema",
            json!(["tasks_in_flight", "callers"]),
        ),
        (
            ("email: {type: string}", "email: {type: string, pattern: '@'}"),
            "input_schema",
            json!(["tasks_in_flight", "callers"]),
        ),
        (("{type: integer}", "{type: number}"), "result_schema", json!(["tasks_in_flight", "callers"])),
        (("{type: integer}", "{type: integer, minimum: 0}"), "result_schema", json!([])),
        (("callable: Charge", "callable: Pay"), "handler", json!(["tasks_in_flight"])),
        (
            ("callable: Charge", "callable: Charge, initialization: {a: 1}"),
            "initialization",
            json!(["tasks_in_flight"]),
        ),
        (("    dependencies: [reserve]\n", ""), "dependencies", json!([])),
        (("callable: Reserve}", "callable: Reserve}\n    retry: {max_attempts: 9}"), "retry", json!([])),
        (("  test:", "  staging:"), "environment", json!(["tasks_in_flight"])),
    ] {
        let (_, answer) = Files::new(&[replaced]).json();
        let all = answer["changes"].as_array().unwrap();
        let found = all.iter().find(|change| change["kind"] == kind);
        assert_eq!(found.map(|change| &change["breaks"]), Some(&breaks), "{replaced:?}: {answer}");
    }
}

#[test]
fn an_environment_is_compared_as_it_is_resolved() {
    let files = Files::new(&[("timeout_seconds: 5", "timeout_seconds: 7")]);
    let page = text(&files.diff(&["a.yaml", "b.yaml", "--environment", "test"]).stdout);
    assert!(page.starts_with("shop/order 1.0.0 -> shop/order 1.0.0, in test\n"), "{page}");
    assert!(page.contains("  `timeout_seconds` of step `charge`: 5 -> 7\n"), "{page}");
    let page = text(&files.diff(&["a.yaml", "b.yaml"]).stdout);
    assert!(
        page.contains("  in the environment `test`, `timeout_seconds` of step `charge`: 5 -> 7\n"),
        "{page}"
    );
    let output = files.diff(&["a.yaml", "b.yaml", "--environment", "tset"]);
    assert_eq!(output.status.code(), Some(2));
    let error = "error: neither template has the environment `tset`; did you mean `test`?\n";
    assert_eq!(text(&output.stderr), error);
}

#[test]
fn what_cannot_be_read_is_told_as_validate_tells_it() {
    let files = Files::new(&[("[reserve]", "[reserv]")]);
    for arguments in [["a.yaml", "missing.yaml"], ["missing.yaml", "a.yaml"]] {
        let output = files.diff(&arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
        assert!(text(&output.stderr).contains("missing.yaml"), "{}", text(&output.stderr));
    }
    let output = files.diff(&["a.yaml", "b.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `reserve`?"), "{}", text(&output.stderr));
    for (arguments, part) in [
        (&["a.yaml", "."][..], "`.` is a directory: name one of its files"),
        (&["a.yaml", "order"], "there is no file `order`, and tasker has no template of this name"),
        (&["-", "-"], "only one of the two can be standard input"),
        (&["a.yaml"], "<AFTER>"),
    ] {
        let output = files.diff(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn one_side_can_be_standard_input() {
    let files = Files::new(&[("name: order", "name: orders")]);
    let mut command = program();
    command.arg("diff").arg("-").arg(files.path("b.yaml")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(ORDER.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("the name is `orders`, and was `order`"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_programs_own_templates_go_by_name() {
    let own = text(&output_of(shop().args(["graph", "order"])).stdout);
    assert!(!own.is_empty());
    let output = output_of(shop().args(["diff", "order", "shop/order"]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("no changes: compatible\n"));
}

#[test]
fn what_a_store_has_is_compared_with_a_file() {
    let files = Files::new(&[("callable: Charge", "callable: Pay")]);
    let store = sqlite(&files.0);
    let [a, b] = ["a.yaml", "b.yaml"].map(|name| files.path(name).display().to_string());
    created(&store, &a, "{}");
    let diff = |arguments: &[&str]| files.diff(&[&["--store", store.as_str()], arguments].concat());
    for before in ["shop/order", "shop/order@1.0.0", "shop/order@latest"] {
        let output = diff(&[before, "a.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).ends_with("\nno changes: compatible\n"), "{}", text(&output.stdout));
    }
    let output = diff(&["shop/order@1.0.0", "b.yaml", "--json"]);
    let answer = json(&output);
    assert_eq!((output.status.code(), &answer["before"]["file"]), (Some(1), &Value::Null));
    let change = &answer["changes"][1];
    assert_eq!((&change["kind"], &change["before"]), (&json!("handler"), &Value::Null));
    assert_eq!(change["after"]["line"], 12);
    for (before, error) in [
        ("shop/orders", "the store has had no task of a template `shop/orders`"),
        ("shop/order@2", "the store has no version 2 of `shop/order`; it has 1.0.0"),
        ("order@1.0.0", "a template of the store is called NAMESPACE/NAME@VERSION"),
    ] {
        let output = diff(&[before, "b.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(error), "{}", text(&output.stderr));
    }

    // Another template of the same version: its id says which.
    created(&store, &b, "{}");
    let output = diff(&["shop/order@1.0.0", "b.yaml"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("the store has 2 different templates shop/order@1.0.0: say which, "), "{error}");
    let names: Vec<&str> = error.split('`').filter(|part| part.contains('#')).collect();
    let mut codes: Vec<_> = names.iter().map(|name| diff(&[name, "b.yaml"]).status.code()).collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(1)]);

    // One of an environment.
    fs::write(&a, with(&[("1.0.0", "2.0.0")])).unwrap();
    let made = tasker(["task", "create", &a, "--store", &store, "--environment", "test", "--context", "{}"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let output = diff(&["shop/order@2.0.0", "a.yaml"]);
    assert!(text(&output.stderr).contains("add `--environment test`"), "{}", text(&output.stderr));
    let output = diff(&["shop/order@2.0.0", "a.yaml", "--environment", "test"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let output = diff(&["shop/order", "a.yaml"]);
    assert!(
        text(&output.stderr).contains("has versions 1.0.0, 2.0.0 of `shop/order`"),
        "{}",
        text(&output.stderr)
    );
    // A slip in its URL makes no store.
    let nowhere = files.diff(&["--store", "sqlite://none.db", "shop/order", "a.yaml"]);
    assert_eq!((nowhere.status.code(), files.path("none.db").exists()), (Some(2), false));
}

#[test]
fn published_templates_are_the_same_as_themselves_and_unlike_each_other() {
    let files: Vec<String> = tasker_template::template_files("templates/reference")
        .unwrap()
        .into_iter()
        .map(|path| path.display().to_string())
        .collect();
    assert!(files.len() > 5, "{files:?}");
    for file in &files {
        let output = tasker(["diff", file, file]);
        assert_eq!(output.status.code(), Some(0), "{file}: {}", text(&output.stderr));
    }
    let output = tasker(["diff", &files[0], &files[1]]);
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{page}");
    assert!(
        page.contains("is gone, for those who read its result") && page.ends_with(": breaking\n"),
        "{page}"
    );
}
