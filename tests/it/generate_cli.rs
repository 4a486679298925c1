//! `tasker generate` and `tasker new`, as far as no crate has to be compiled; `tests/outside` compiles what they
//! write.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{greeting, program, root, shop, tasker, text};
use crate::support::template;

#[track_caller]
fn refused(output: &Output, code: i32, reason: &str) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(reason), "{error}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
}

#[test]
fn every_fault_of_a_template_is_told_before_anything_is_generated() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("faulty.yaml");
    fs::write(&path, template("a: b\nb: c, d")).unwrap();
    let output = tasker(["generate", "handlers", path.to_str().unwrap()]);
    refused(&output, 1, "faulty.yaml:6:");
    assert_eq!(text(&output.stderr).matches("error").count(), 2, "{}", text(&output.stderr));
    fs::write(&path, template("a | result_schema: {type: integr}")).unwrap();
    let output = tasker(["generate", "handlers", path.to_str().unwrap()]);
    refused(&output, 1, "did you mean `integer`?");
    refused(&tasker(["generate", "handlers", "none.yaml"]), 1, "none.yaml");
}

#[test]
fn generated_handlers_go_into_a_new_file_whose_tests_find_the_template() {
    let directory = TempDir::new().unwrap();
    let (source, templates) = (directory.path().join("src"), directory.path().join("templates"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&templates).unwrap();
    fs::write(directory.path().join("Cargo.toml"), "").unwrap();
    fs::copy(root().join("templates/greeting.yaml"), templates.join("greeting.yaml")).unwrap();
    let arguments = ["generate", "handlers", "../templates/greeting.yaml", "--out", "greeting.rs"];
    let run = || output_of(program().args(arguments).current_dir(&source));
    assert_eq!(run().status.code(), Some(0));
    let written = fs::read_to_string(source.join("greeting.rs")).unwrap();
    assert!(written.contains("const TEMPLATE: &str = \"templates/greeting.yaml\";"), "{written}");
    refused(&run(), 2, "greeting.rs is there already");
    assert_eq!(fs::read_to_string(source.join("greeting.rs")).unwrap(), written);
}

#[test]
fn a_template_of_the_handlers_of_a_program_is_valid_in_it() {
    let directory = TempDir::new().unwrap();
    let output = output_of(shop().args(["generate", "template", "--namespace", "team_a"]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "name: shop\nnamespace_name: team_a\nversion: 1.0.0\nsteps:\n  - name: reserve\n    \
         handler: {callable: \"Shop::Reserve\"}\n  - name: charge\n    \
         handler: {callable: \"Shop::Charge\"}\n    dependencies: [reserve]\n"
    );
    let path = directory.path().join("shop.yaml");
    fs::write(&path, &output.stdout).unwrap();
    let validated = output_of(shop().args(["validate", "--deny-warnings"]).arg(&path));
    assert_eq!(validated.status.code(), Some(0), "{}", text(&validated.stdout));
}

#[test]
fn a_template_of_some_handlers_has_also_those_that_they_read() {
    let steps = |wanted: &[&str]| {
        let output = output_of(greeting().args(["generate", "template", "--name", "g"]).args(wanted));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).matches("- name:").count()
    };
    assert_eq!([steps(&["greet"]), steps(&["Greeting::FindName"]), steps(&[])], [2, 1, 2]);
    let output = output_of(greeting().args(["generate", "template", "gret"]));
    refused(&output, 2, "no handler `gret`; did you mean `greet`?");
    refused(&tasker(["generate", "template"]), 2, "tasker has no handlers");
    let output = output_of(greeting().args(["generate", "template", "--namespace", "a b"]));
    refused(&output, 1, "namespace");
}

/// `tasker new` in this directory.
fn new(directory: &Path, arguments: &[&str]) -> Output {
    output_of(program().arg("new").args(arguments).current_dir(directory))
}

fn entries(directory: &Path) -> usize {
    directory.read_dir().unwrap().count()
}

#[test]
fn a_crate_that_cannot_be_made_leaves_nothing_behind() {
    let directory = TempDir::new().unwrap();
    let here = directory.path();
    refused(&new(here, &["my shop"]), 2, "letters, digits, `-` and `_` only, and no ` `");
    refused(&new(here, &["2shop"]), 2, "begins with a letter");
    refused(&new(here, &["serde"]), 2, "is the name of something else");
    refused(&new(here, &["shop", "--path", "/"]), 2, "no checkout of Tasker");
    refused(&new(here, &["shop", "--version", "newest"]), 1, "Nothing was made.");
    assert_eq!(entries(here), 0);

    fs::create_dir(here.join("shop")).unwrap();
    refused(&new(here, &["shop", "--version", "newest"]), 1, "Nothing was made.");
    assert_eq!(entries(&here.join("shop")), 0);
    fs::write(here.join("shop/notes.txt"), "mine").unwrap();
    refused(&new(here, &["shop"]), 2, "shop is there already, and not empty");
    assert_eq!(entries(&here.join("shop")), 1);
}

#[test]
fn a_workspace_is_as_it_was_when_its_new_crate_cannot_be_made() {
    let directory = TempDir::new().unwrap();
    let here = directory.path();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = []\n";
    fs::write(here.join("Cargo.toml"), manifest).unwrap();
    refused(&new(here, &["shop", "--version", "newest"]), 1, "Nothing was made.");
    assert_eq!(fs::read_to_string(here.join("Cargo.toml")).unwrap(), manifest);
    assert_eq!(entries(here), 1);
    assert_eq!(new(here, &["shop"]).status.code(), Some(0));
    assert!(fs::read_to_string(here.join("Cargo.toml")).unwrap().contains("members = [\"shop\"]"));
}
