//! What `tasker validate` prints for other programs, and `tasker explain` for people.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{json, root, tasker, text};
use crate::support::template;

/// A directory with a template that has an error and a warning, under a name that has to be escaped.
fn faulty() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a b, 100%.yaml");
    std::fs::write(&path, template("bill | retri: {}\nlast: bil")).unwrap();
    (directory, path)
}

#[test]
fn the_formats_tell_the_same_faults_and_end_alike() {
    let (_directory, path) = faulty();
    let path = path.to_str().unwrap();
    for (arguments, expected) in [
        (&["--format", "human"][..], "error[TSK111]: step `last` depends on `bil`"),
        (&[], "warning[TSK104]: `retri` has no meaning in step `bill`"),
        (&["--format", "json"], "\"number\": \"TSK111\""),
        (&["--json"], "\"number\": \"TSK104\""),
        (&["--format", "github"], ",line=6,col=60,title=TSK111::step `last` depends on `bil`, but the"),
        (&["--format", "sarif"], "\"ruleId\": \"TSK111\""),
    ] {
        let output = tasker(["validate", path].iter().chain(arguments));
        assert_eq!(output.status.code(), Some(1));
        let page = text(&output.stdout);
        assert!(page.contains(expected), "{arguments:?}: {page}");
    }
    let output = tasker(["validate", path, "--json", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(2));
    let output = tasker(["validate", "templates", "--format", "github"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn github_is_given_a_command_for_each_fault() {
    let (directory, path) = faulty();
    let lines = text(&tasker(["validate", path.to_str().unwrap(), "--format", "github"]).stdout);
    let place = directory.path().display();
    let expected = format!(
        "::error file={place}/a b%2C 100%25.yaml,line=6,col=60,title=TSK111::step `last` depends on `bil`, but the \
         template has no such step; did you mean `bill`?\n\
         ::warning file={place}/a b%2C 100%25.yaml,line=5,col=63,title=TSK104::`retri` has no meaning in step \
         `bill`; did you mean `retry`?\n"
    );
    assert_eq!(lines, expected);
}

#[test]
fn sarif_keeps_to_its_schema_and_has_a_rule_for_each_kind() {
    let schema = std::fs::read_to_string(root().join("tests/sarif/sarif-schema-2.1.0.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    // As published, it has a bracket too many, which is no regular expression.
    for place in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][place]["properties"]["language"]["pattern"];
        assert_eq!(*language, "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$");
        *language = json!("^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    }
    let schema = jsonschema::validator_for(&schema).unwrap();
    let is_valid = |log: &Value| {
        let faults: Vec<_> = schema.iter_errors(log).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:#?}\n{log:#}");
    };
    let (directory, path) = faulty();
    let log = json(&tasker(["validate", path.to_str().unwrap(), "--format", "sarif"]));
    is_valid(&log);
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["TSK104", "TSK111"]);
    assert!(rules[0]["help"]["markdown"].as_str().unwrap().contains("Way out: "), "{rules:?}");
    let results = run["results"].as_array().unwrap();
    let found: Vec<_> =
        results.iter().map(|one| json!([one["ruleId"], one["ruleIndex"], one["level"]])).collect();
    assert_eq!(found, [json!(["TSK111", 1, "error"]), json!(["TSK104", 0, "warning"])]);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        format!("file://{}/a%20b%2C%20100%25.yaml", directory.path().display())
    );
    assert_eq!(place["region"], json!({ "startLine": 6, "startColumn": 60, "endColumn": 63 }));
    // The schema itself is looked into: it refuses what is no log.
    assert!(!schema.is_valid(&json!({ "version": "2.1.0" })));

    // Nothing found, faults without a place, and more than are kept.
    is_valid(&json(&tasker(["validate", "templates/user_registration.yaml", "--format", "sarif"])));
    let log = json(&tasker(["validate", "no/such.yaml", "--format", "sarif"]));
    is_valid(&log);
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place, &json!({ "artifactLocation": { "uri": "no/such.yaml", "uriBaseId": "%SRCROOT%" } }));
    let many: String = (0..60).map(|number| format!("s{number}: nothing\n")).collect();
    std::fs::write(&path, template(&many)).unwrap();
    let log = json(&tasker(["validate", path.to_str().unwrap(), "--format", "sarif"]));
    is_valid(&log);
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert_eq!(notes[0]["message"]["text"], "and 10 more faults");
}

#[test]
fn a_fault_is_explained_by_its_number_and_by_its_code() {
    let explained = |fault| tasker(["explain", fault]);
    let by_number = text(&explained("TSK111").stdout);
    assert!(by_number.starts_with("TSK111: a name is that of no step\n"), "{by_number}");
    assert!(by_number.contains("error[TSK111]: ") && by_number.contains("Way out: "), "{by_number}");
    for same in ["tsk111", "MISSING_DEP_REF", "missing_dep_ref"] {
        assert_eq!(text(&explained(same).stdout), by_number);
    }
    // A word that two kinds share is explained for both.
    let both = text(&explained("UNREADABLE").stdout);
    assert!(both.starts_with("TSK101: ") && both.contains("\n\nTSK514: "), "{both}");
    for (unknown, told) in [("INVALID_INPT", "did you mean `INVALID_INPUT`?"), ("TSK999", "TSK999")] {
        let output = explained(unknown);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(text(&output.stderr).contains(told), "{unknown}");
    }
    let all = text(&tasker(["explain"]).stdout);
    assert!(all.lines().any(|line| line.starts_with("TSK501  INVALID_INPUT ")), "{all}");
}
