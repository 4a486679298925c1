//! The user-registration example, run as a person runs it.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{example, json, root, tasker, text};

/// A run on a store of its own; its exit code, and the task.
fn run(arguments: &[&str]) -> (i32, Value) {
    run_with_latency("20", arguments)
}

fn run_with_latency(latency: &str, arguments: &[&str]) -> (i32, Value) {
    let directory = TempDir::new().unwrap();
    let output = output_of(
        example()
            .args(["--json", "--latency", latency, "--time-scale", "0.01", "--db"])
            .arg(directory.path().join("t.db"))
            .args(arguments),
    );
    (output.status.code().unwrap(), json(&output))
}

#[track_caller]
fn step<'t>(task: &'t Value, name: &str) -> &'t Value {
    task["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).unwrap()
}

fn span(step: &Value) -> (Timestamp, Timestamp) {
    let attempts = step["attempts"].as_array().unwrap();
    let time = |value: &Value| value.as_str().unwrap().parse().unwrap();
    (time(&attempts[0]["started_at"]), time(&attempts[attempts.len() - 1]["finished_at"]))
}

#[test]
fn the_diamond_runs_and_its_branches_overlap() {
    // Long calls: two that begin within one commit overlap however busy the machine is.
    let (code, task) = run_with_latency("500", &[]);
    assert_eq!((code, &task["state"]), (0, &json!("complete")));
    let steps = task["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    assert!(steps.iter().all(|step| step["state"] == "complete"));
    let (billing, preferences) =
        (span(step(&task, "setup_billing_profile")), span(step(&task, "initialize_preferences")));
    assert!(billing.0 < preferences.1 && preferences.0 < billing.1, "{billing:?} {preferences:?}");
    let welcome = &step(&task, "send_welcome_sequence")["result"];
    // Each of these comes from another of the three results that the step reads.
    assert_eq!(welcome["email"], "new.user@example.com");
    assert_eq!(welcome["drip_campaign"]["emails_scheduled"], 4, "the trial of billing");
    assert_eq!(
        welcome["channels_used"],
        json!(["email", "push", "slack", "in_app"]),
        "the channels of preferences"
    );
    let status = &step(&task, "update_user_status")["result"];
    assert_eq!((&status["status"], &status["onboarding_score"]), (&json!("active"), &json!(100)));
}

#[test]
fn a_service_that_fails_twice_is_asked_a_third_time() {
    let (code, task) = run(&["--fail", "billing=2"]);
    assert_eq!((code, &task["state"]), (0, &json!("complete")));
    let outcomes: Vec<_> = step(&task, "setup_billing_profile")["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "failed", "complete"]);
}

#[test]
fn a_service_that_refuses_blocks_its_branch_alone() {
    let directory = TempDir::new().unwrap();
    let output = output_of(
        example()
            .args(["--fail", "billing=permanent", "--latency", "5", "--db"])
            .arg(directory.path().join("t.db")),
    );
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    for part in [
        "blocked_by_failures",
        "step `setup_billing_profile` failed for good",
        "attempt 1: the billing service refuses every request [SERVICE_REJECTED]",
        "never started, because of it: send_welcome_sequence, update_user_status",
        "what now:",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (code, task) = run(&["--fail", "billing=permanent"]);
    let state = |name| step(&task, name)["state"].as_str().unwrap();
    assert_eq!(
        (code, state("setup_billing_profile"), state("initialize_preferences")),
        (1, "error", "complete")
    );
    assert_eq!(step(&task, "send_welcome_sequence")["attempts"], json!([]));
}

#[test]
fn wrong_input_is_refused_before_there_is_a_task() {
    for (arguments, message) in [
        (["--email", "nope"], "`user_info.email` must have the form name@example.com"),
        (["--name", " "], "`user_info.name` is required"),
    ] {
        let directory = TempDir::new().unwrap();
        let store = format!("sqlite://{}", directory.path().join("t.db").display());
        let output = output_of(example().args(["--store", &store]).args(arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
        let tasks = tasker(["task", "list", "--json", "--store", &store]);
        assert_eq!(json(&tasks)["tasks"], json!([]), "{tasks:?}");
    }
}

#[test]
fn what_only_the_service_knows_is_refused_at_the_first_attempt() {
    for (arguments, code, message) in [
        (["--email", "a@mailinator.com"], "BLOCKED_EMAIL_DOMAIN", "mailinator.com"),
        (["--plan", "gold"], "INVALID_PLAN", "gold"),
    ] {
        let (exit, task) = run(&arguments);
        let attempts = &step(&task, "create_user_account")["attempts"];
        let error = &attempts[0]["error"];
        assert_eq!(
            (exit, attempts.as_array().unwrap().len(), &error["code"]),
            (1, 1, &json!(code)),
            "{arguments:?}"
        );
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        assert_eq!(error["kind"], "permanent");
    }
}

#[test]
fn options_change_the_outcome() {
    let (_, task) = run(&["--plan", "free", "--name", "Ada Lovelace", "--email", "Ada@Example.com"]);
    let account = &step(&task, "create_user_account")["result"];
    assert_eq!((&account["email"], &account["name"]), (&json!("ada@example.com"), &json!("Ada Lovelace")));
    assert_eq!(step(&task, "send_welcome_sequence")["result"]["messages_sent"], 2);
    let (_, task) = run(&["--plan", "pro", "--referral-code", "REF-ABCD1234"]);
    assert_eq!(step(&task, "setup_billing_profile")["result"]["monthly_price"], 23.99);
}

#[test]
fn wrong_arguments_are_told() {
    let output = output_of(example().args(["--fail", "biling=2"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("`biling` is no service: user, billing, preferences or notification")
    );
}

#[test]
fn a_template_that_does_not_fit_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let good = std::fs::read_to_string(root().join("templates/user_registration.yaml")).unwrap();
    let path = directory.path().join("bad.yaml");
    let run = |text: String| {
        std::fs::write(&path, text).unwrap();
        let output =
            output_of(example().arg("--db").arg(directory.path().join("t.db")).arg("--template").arg(&path));
        assert_eq!(output.status.code(), Some(3));
        assert!(!directory.path().join("t.db").exists(), "nothing was written");
        text_of(&output)
    };
    let errors = run(good
        .replace("      - setup_billing_profile", "      - setup_biling_profile")
        .replace("      - send_welcome_sequence", "      - send_welcome_sequenze"));
    assert!(
        errors.contains("bad.yaml:52:9") && errors.contains("did you mean `setup_billing_profile`?"),
        "{errors}"
    );
    assert!(errors.contains("did you mean `send_welcome_sequence`?"), "{errors}");
    let errors = run(good
        .replace("      - setup_billing_profile", "      - setup_biling_profile")
        .replace("InitializePreferencesHandler", "InitialisePreferencesHandler"));
    assert!(errors.contains("bad.yaml:52:9") && errors.contains("bad.yaml:37:17"), "{errors}");
    assert_eq!(errors.matches("error[").count(), 2, "{errors}");
    let errors = run(good.replace("InitializePreferencesHandler", "InitialisePreferencesHandler"));
    assert!(errors.contains("bad.yaml:37:17") && errors.matches("error[").count() == 1, "{errors}");
    assert!(
        errors.contains("did you mean `Microservices::StepHandlers::InitializePreferencesHandler`?"),
        "{errors}"
    );
    let missing = output_of(example().arg("--template").arg(Path::new("no/such.yaml")));
    assert_eq!(missing.status.code(), Some(3));
    assert!(text_of(&missing).contains("no/such.yaml"));
}

fn text_of(output: &std::process::Output) -> String {
    text(&output.stderr)
}

#[test]
fn the_command_line_runs_an_example_by_its_path() {
    let directory = TempDir::new().unwrap();
    let db = directory.path().join("t.db");
    let arguments = ["--json", "--latency", "5", "--db", db.to_str().unwrap()];
    // The second is what `cargo run examples/user_registration -- …` comes to.
    for path in [&["examples/user_registration"][..], &["examples/user_registration", "--"]] {
        let output = tasker(path.iter().chain(&arguments));
        assert_eq!(json(&output)["state"], "complete");
        assert_eq!(output.status.code(), Some(0));
    }
}
