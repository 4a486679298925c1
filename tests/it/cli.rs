//! `tasker validate`, `graph` and `run`.

use serde_json::json;
use tempfile::TempDir;

use crate::program::{json, tasker, text};
use crate::support::template;

#[test]
fn validate_accepts_the_templates_of_the_repository() {
    let output = tasker(["validate", "templates"]);
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.contains("templates: 0 errors,") && page.ends_with(": valid\n"), "{page}");
}

#[test]
fn validate_tells_every_fault_and_fails() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bad.yaml");
    std::fs::write(&path, template("billing\nwelcome: biling\nlast: welcom")).unwrap();
    let output = tasker(["validate".as_ref(), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert_eq!(page.matches("did you mean").count(), 2, "{page}");
    assert!(page.ends_with("1 template: 2 errors, 0 warnings: invalid\n"), "{page}");
}

#[test]
fn validate_can_count_warnings_as_errors_and_print_json() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("odd.yaml");
    std::fs::write(&path, template("a | retri: {}")).unwrap();
    let output = tasker(["validate".as_ref(), "--json".as_ref(), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(0));
    let answer = json(&output);
    assert_eq!((&answer["valid"], &answer["templates"]), (&json!(true), &json!(1)));
    assert_eq!((&answer["errors"], &answer["warnings"]), (&json!(0), &json!(1)));
    let warning = &answer["diagnostics"][0];
    assert_eq!(
        (
            &warning["severity"],
            &warning["code"],
            &warning["line"],
            &warning["column"],
            &warning["suggestion"]
        ),
        (&json!("warning"), &json!("UNKNOWN_KEY"), &json!(5), &json!(57), &json!("did you mean `retry`?"))
    );
    let output = tasker(["validate".as_ref(), "--deny-warnings".as_ref(), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn validate_names_a_file_that_is_not_there() {
    let output = tasker(["validate", "no/such.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no/such.yaml"));
    let directory = TempDir::new().unwrap();
    let output = tasker(["validate".as_ref(), directory.path().as_os_str()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has no .yaml or .yml file"));
}

#[test]
fn graph_draws_three_ways() {
    let draw =
        |format| text(&tasker(["graph", "templates/user_registration.yaml", "--format", format]).stdout);
    assert_eq!(
        draw("text"),
        "\
─ create_user_account
┌ setup_billing_profile   after create_user_account
└ initialize_preferences  after create_user_account
─ send_welcome_sequence   after setup_billing_profile, initialize_preferences
─ update_user_status      after send_welcome_sequence
"
    );
    assert!(draw("mermaid").starts_with("flowchart TD\n  s0[\"create_user_account\"]\n"));
    assert!(draw("mermaid").contains("  s1 --> s3\n"));
    assert!(draw("dot").starts_with("digraph \"user_registration\" {\n"));
    assert!(draw("dot").contains("  s2 -> s3;\n"));
    let output = tasker(["graph", "no/such.yaml"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_template_without_handlers_says_which_are_missing() {
    let output = tasker(["run", "templates/user_registration.yaml", "--store", "memory:"]);
    assert_eq!(output.status.code(), Some(3));
    let errors = text(&output.stderr);
    assert_eq!(errors.matches("no handler is registered for callable").count(), 5, "{errors}");
    assert!(errors.contains("templates/user_registration.yaml:"), "{errors}");
}

#[test]
fn what_is_neither_command_nor_path_is_told() {
    let output = tasker(["examples/user_registraton"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`examples/user_registraton` is neither a command"));
    let output = tasker(["run", "src"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no template (.yaml), no Cargo project, and no example"));
    let output = tasker(["run", "templates/user_registration.yaml", "--context", "[1]"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("the context must be a JSON object"));
}

#[test]
fn help_is_complete() {
    let template = &["run", "templates/greeting.yaml", "--help"][..];
    let create = &["task", "create", "--help"][..];
    for arguments in [template, create] {
        let page = text(&tasker(arguments).stdout);
        for option in [
            "context",
            "environment",
            "store",
            "json",
            "idempotency-key",
            "identity",
            "priority",
            "tag",
            "run-at",
            "correlation-id",
            "parent-correlation-id",
            "initiator",
            "source-system",
            "reason",
        ] {
            assert!(page.contains(&format!("--{option}")), "{arguments:?}: --{option}");
        }
    }
    for arguments in [
        &["--help"][..],
        &["validate", "--help"],
        &["graph", "--help"],
        &["schema", "--help"],
        &["explain", "--help"],
        &["new", "--help"],
        &["generate", "handlers", "--help"],
        &["generate", "template", "--help"],
        &["run", "--help"],
        template,
        create,
    ] {
        let output = tasker(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Usage: tasker"), "{arguments:?}");
    }
    assert_eq!(tasker(&[] as &[&str]).status.code(), Some(2));
}
