//! What `tasker new` and `tasker generate` write compiles, runs, and passes its own tests and lints, in crates
//! outside of this workspace. They are built offline, with our lock file, into our target directory, where most
//! of what they depend on has been compiled already.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod cargo;
#[allow(dead_code, reason = "others use the rest")]
#[path = "../processes/patience.rs"]
mod patience;

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::cargo::{cargo, cargo_text, lock, root, tasker};

const ORDER: &str = r#"{"item": "book", "quantity": 2}"#;

/// Templates whose handlers are compiled, each in a module of this name. Their callables differ, for all are in
/// one program.
const COMPILED: [(&str, &str); 7] = [
    ("greeting", "templates/greeting.yaml"),
    ("registration", "templates/user_registration.yaml"),
    ("refund", "templates/reference/axum/payments_process_refund.yaml"),
    ("support", "templates/reference/axum/customer_success_process_refund.yaml"),
    ("pipeline", "templates/reference/axum/data_pipeline_analytics_pipeline.yaml"),
    ("shop", "templates/reference/rails/ecommerce_order_processing.yaml"),
    ("odd", "tests/outside/odd.yaml"),
];

/// A directory of crates, outside of any workspace and repository.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    lock(directory.path());
    directory
}

#[test]
fn a_new_crate_runs_and_passes_its_tests_and_lints() {
    let directory = directory();
    let path = root().to_str().unwrap();
    let said = tasker(directory.path(), &["new", "my-shop", "--path", path]);
    let home = directory.path().join("my-shop");
    lock(&home);
    // The first of the commands that it tells is the one that is run here.
    let run = ["run", "--", "run", "templates/my_shop.yaml", "--context"];
    assert!(said.contains(&format!("cargo {} '{ORDER}'", run.join(" "))), "{said}");
    let run = [&run[..], &[ORDER, "--json"]].concat();
    let task: Value = serde_json::from_str(&cargo_text(&home, &run)).unwrap();
    assert_eq!(task["state"], "complete");
    assert_eq!(task["steps"][1]["result"]["cents"], 500);
    assert!(home.join("my-shop.db").is_file());
    let tests = cargo_text(&home, &["test"]);
    // Two that it came with, and one of `workflow!`.
    assert!(tests.contains("3 passed"), "{tests}");
    cargo(&home, &["clippy", "--all-targets", "--", "-D", "warnings"]);
    cargo(&home, &["fmt", "--check"]);
    // A template of its handlers is the one that it came with, but for what handlers do not say.
    let template = cargo_text(&home, &["run", "--", "generate", "template", "--namespace", "shop"]);
    let expected = "name: my-shop\nnamespace_name: shop\nversion: 1.0.0\nsteps:\n";
    let (heading, steps) = template.split_at(template.find("  - name").unwrap());
    assert_eq!(heading, expected.replace("my-shop", "\"my-shop\""));
    assert_eq!(
        steps,
        "  - name: reserve_item\n    handler: {callable: \"MyShop::ReserveItem\"}\n  \
         - name: charge_card\n    handler: {callable: \"MyShop::ChargeCard\"}\n    dependencies: [reserve_item]\n"
    );
    fs::write(home.join("again.yaml"), &template).unwrap();
    cargo(&home, &["run", "--", "validate", "--deny-warnings", "again.yaml"]);
}

#[test]
fn a_new_crate_joins_a_workspace_and_generated_handlers_compile_in_it() {
    let directory = directory();
    let workspace = directory.path();
    let patch = format!("[patch.crates-io]\ntasker = {{ path = {:?} }}\n", root());
    // Lints that everybody in the workspace has.
    let lints = "[workspace.lints.clippy]\nall = { level = \"deny\", priority = -1 }\n";
    let manifest = format!("[workspace]\nmembers = []\nresolver = \"3\"\n{lints}\n{patch}");
    fs::write(workspace.join("Cargo.toml"), manifest).unwrap();
    // Variables of the handlers and of their tests are called so as well.
    let said = tasker(workspace, &["new", "crates/order", "--version", env!("CARGO_PKG_VERSION")]);
    assert!(said.contains("Added to the workspace"), "{said}");
    let home = workspace.join("crates/order");
    let version = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    let manifest = fs::read_to_string(home.join("Cargo.toml")).unwrap();
    assert!(manifest.contains(version), "{manifest}");

    let mut main = fs::read_to_string(home.join("src/main.rs")).unwrap();
    for (name, template) in COMPILED {
        let template = root().join(template);
        let out = format!("src/{name}.rs");
        tasker(&home, &["generate", "handlers", template.to_str().unwrap(), "--out", &out]);
        writeln!(main, "#[rustfmt::skip]\nmod {name};").unwrap();
    }
    fs::write(home.join("src/main.rs"), main).unwrap();
    // A test of each module and one of its `workflow!`, and three of the crate's own.
    let tests = cargo_text(&home, &["test"]);
    assert!(tests.contains(&format!("{} passed; 0 failed; 0 ignored", 2 * COMPILED.len() + 3)), "{tests}");
    cargo(&home, &["clippy", "--all-targets", "--", "-D", "warnings"]);
    for (name, _) in COMPILED {
        let file = home.join(format!("src/{name}.rs"));
        cargo::run(std::process::Command::new("rustfmt").args(["--edition", "2024", "--check"]).arg(file));
    }
    let run =
        ["run", "--", "run", "templates/order.yaml", "--context", ORDER, "--json", "--store", "memory:"];
    let task: Value = serde_json::from_str(&cargo_text(&home, &run)).unwrap();
    assert_eq!(task["state"], "complete");
    // A handler that is not written says so, and is not tried again.
    let greeting = root().join("templates/greeting.yaml");
    let run = ["run", "--", "run", greeting.to_str().unwrap(), "--json", "--store", "memory:"];
    let output = cargo::output(&home, &run);
    assert_eq!(output.status.code(), Some(1));
    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    let attempts = task["steps"][0]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["error"]["code"]), (1, &"NOT_IMPLEMENTED".into()));
}
