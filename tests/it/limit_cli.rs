//! `tasker limit`, with real processes.

use serde_json::{Value, json};

use crate::postgres::Schema;
use crate::program::{json as printed, tasker, text};

fn limit(arguments: &[&str], store: &str) -> std::process::Output {
    tasker([&["limit"], arguments, &["--store", store]].concat())
}

fn listed(store: &str) -> Value {
    printed(&limit(&["list", "--json"], store))["limits"].clone()
}

fn the_command_line_sets_lists_and_removes(store: &str) {
    let done = |arguments: &[&str]| {
        let output = limit(arguments, store);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let callable = ["--callable", "Billing::Charge"];
    done(&["set", "--namespace", "billing", "--concurrency", "0"]);
    let both = [&["set", "--concurrency", "10", "--rate", "100/s"], &callable[..]].concat();
    assert_eq!(done(&both), "callable `Billing::Charge`: at most 10 at a time, at most 100/s\n");
    let page = "callable `Billing::Charge`  at most 10 at a time, at most 100/s  0 of 10 held\n\
        namespace `billing`  paused  0 of 0 held\n";
    assert_eq!(done(&["list"]), page);
    let charge = json!({
        "scope": "callable", "name": "Billing::Charge", "concurrency": 10, "rate": "100/s", "held": 0,
        "workers": 0, "waiting": 0,
    });
    assert_eq!(listed(store)[0], charge);
    // What is set takes the place of what was there.
    done(&[&["set", "--rate", "5/min"], &callable[..]].concat());
    assert_eq!(
        (&listed(store)[0]["concurrency"], &listed(store)[0]["rate"]),
        (&json!(null), &json!("5/min"))
    );
    done(&[&["remove"], &callable[..]].concat());
    let output = limit(&[&["remove"], &callable[..]].concat(), store);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: there is no limit on callable `Billing::Charge`; there are limits on: namespace `billing`\n"
    );
    assert_eq!(done(&["remove", "--namespace", "billing", "--json"]), "{\"limits\":[]}\n");
    assert_eq!(done(&["list"]), "nothing is limited\n");
}

#[test]
fn the_command_line_sets_limits_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("t.db").display());
    // A slip in the path is not taken for a store without limits.
    let output = limit(&["list"], &store);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no store"), "{}", text(&output.stderr));
    assert_eq!(tasker(["migrate", "--store", &store]).status.code(), Some(0));
    the_command_line_sets_lists_and_removes(&store);
}

#[test]
fn the_command_line_sets_limits_of_a_database() {
    let schema = Schema::new();
    let output = limit(&["list"], &schema.url());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(schema.name()), "{}", text(&output.stderr));
    assert_eq!(tasker(["migrate", "--store", &schema.url()]).status.code(), Some(0));
    the_command_line_sets_lists_and_removes(&schema.url());
}

#[test]
fn wrong_arguments_of_a_limit_are_told() {
    for (arguments, says) in [
        (&["set", "--callable", "a"][..], "--concurrency <N>|--rate <RATE>"),
        (&["set", "--concurrency", "1"], "--callable <NAME>|--namespace <NAME>"),
        (&["set", "--callable", "a", "--namespace", "b", "--concurrency", "1"], "cannot be used with"),
        (&["set", "--callable", "", "--concurrency", "1"], "--callable"),
        (&["set", "--callable", "a", "--concurrency", "-1"], "-1"),
        (&["set", "--callable", "a", "--rate", "0/s"], "write how many starts in how much time"),
        (&["set", "--callable", "a", "--rate", "fast"], "such as `100/s`, `5/min`, `20/h` or `3/10s`"),
        (&["remove"], "--callable <NAME>|--namespace <NAME>"),
    ] {
        let output = limit(arguments, "memory:");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}
