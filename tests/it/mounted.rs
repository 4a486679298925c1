//! The command line that an application mounts, with its own store, templates, name, version and command:
//! `examples/shop`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::postgres::Schema;
use crate::program::{greeting, json, root, shop, tasker, text};
use crate::support::template;

const TEMPLATES: &str = "examples/shop/templates";
const BOOK: &str = r#"{"item": "book", "cents": 5}"#;

/// The application in a directory of its own, where its store is.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = shop();
        command.args(arguments).current_dir(self.0.path());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    /// With a store that the environment names.
    #[track_caller]
    fn run_with(&self, store: &str, arguments: &[&str]) -> Output {
        let output = self.command(arguments).env("TASKER_STORE_URL", store).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr)
    }

    fn has(&self, file: &str) -> bool {
        self.0.path().join(file).exists()
    }
}

fn listed(output: &Output) -> usize {
    json(output)["tasks"].as_array().unwrap().len()
}

#[test]
fn its_own_command_and_ours_work_on_its_store() {
    let shop = Shop::new();
    shop.run(&["order", "book", "1250"]);
    assert!(shop.has("shop.db") && !shop.has("tasker.db"));
    let tasks = shop.run(&["task", "list", "--json"]);
    assert_eq!(listed(&tasks), 1);
    // What its code says of the task.
    let id = json(&tasks)["tasks"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(json(&shop.run(&["task", "show", &id, "--json"]))["origin"]["source_system"], "shop");
    for arguments in [&["worker", "list"][..], &["limit", "list"], &["task", "stale"]] {
        shop.run(arguments);
    }
    let migration = json(&shop.run(&["migrate", "--dry-run", "--json"]));
    assert_eq!((&migration["store"], &migration["sql"]), (&json!("sqlite://shop.db"), &json!([])));
    let id = text(&shop.run(&["task", "create", "--context", BOOK]).stdout);
    assert_eq!(json(&shop.run(&["task", "show", id.trim_end(), "--json"]))["name"], "order");
    assert_eq!(shop.0.path().read_dir().unwrap().filter(|file| is_store(file.as_ref().unwrap())).count(), 1);
}

fn is_store(file: &std::fs::DirEntry) -> bool {
    file.path().extension().is_some_and(|extension| extension == "db")
}

#[test]
fn an_argument_comes_before_the_environment_and_that_before_the_application() {
    let shop = Shop::new();
    shop.run(&["order", "book", "1"]);
    let elsewhere = "sqlite://elsewhere.db";
    shop.run_with(elsewhere, &["order", "book", "1"]);
    shop.run_with(elsewhere, &["run", "--context", BOOK]);
    assert_eq!(listed(&shop.run_with(elsewhere, &["task", "list", "--json"])), 2);
    assert_eq!(json(&shop.run_with(elsewhere, &["migrate", "--json"]))["store"], elsewhere);
    shop.run_with(elsewhere, &["worker", "list"]);
    // Wherever the argument stands.
    for arguments in [
        ["--store", "sqlite://shop.db", "task", "list", "--json"],
        ["task", "--store", "sqlite://shop.db", "list", "--json"],
        ["task", "list", "--store", "sqlite://shop.db", "--json"],
    ] {
        assert_eq!(listed(&shop.run_with(elsewhere, &arguments)), 1, "{arguments:?}");
    }
    let run = [&["--store", "sqlite://a.db", "run"][..], &["run", "--store", "sqlite://b.db"]];
    let created = ["task", "create", "--store", "sqlite://c.db", "--context", BOOK];
    for arguments in run.map(|run| [run, &["--context", BOOK]].concat()) {
        shop.run_with(elsewhere, &arguments);
    }
    shop.run_with(elsewhere, &created);
    assert!(shop.has("a.db") && shop.has("b.db") && shop.has("c.db"));
    assert_eq!(listed(&shop.run_with(elsewhere, &["task", "list", "--json"])), 2);
    // An empty variable is none.
    assert_eq!(listed(&shop.run_with("", &["task", "list", "--json"])), 1);
    assert!(shop.command(&["task", "list", "--store", ""]).output().unwrap().status.code() == Some(3));
}

#[test]
fn the_environment_may_name_a_database() {
    let (shop, schema) = (Shop::new(), Schema::new());
    let url = schema.url();
    assert_eq!(json(&shop.run_with(&url, &["migrate", "--json"]))["from"], 0);
    shop.run_with(&url, &["order", "book", "1"]);
    shop.run_with(&url, &["run", "order", "--context", BOOK]);
    assert_eq!(listed(&shop.run_with(&url, &["task", "list", "--json"])), 2);
    shop.run_with(&url, &["worker", "list"]);
    assert!(!shop.has("shop.db"));
}

#[test]
fn the_help_names_the_variable_and_not_what_is_in_it() {
    let shop = Shop::new();
    for arguments in [
        &["--help"][..],
        &["task", "list", "--help"],
        &["worker", "--help"],
        &["worker", "list", "--help"],
        &["limit", "--help"],
        &["migrate", "--help"],
        &["run", "order", "--help"],
    ] {
        let page = text(&shop.run_with("postgres://ada:secret@db/shop", arguments).stdout);
        assert!(page.contains("[env: TASKER_STORE_URL]") && !page.contains("secret"), "{page}");
        assert!(page.contains("Usage: shop"), "{page}");
    }
}

#[test]
fn its_templates_are_those_that_commands_work_with() {
    let shop = Shop::new();
    let own = root().join(TEMPLATES).join("order.yaml");
    let (own, directory) = (own.to_str().unwrap(), root().join(TEMPLATES));
    let again = directory.join("../templates/order.yaml");
    let (directory, again) = (directory.to_str().unwrap(), again.to_str().unwrap());
    for wanted in [&[][..], &["order"], &["shop/order"], &[own], &[again]] {
        let graph = text(&shop.run(&[&["graph"], wanted].concat()).stdout);
        assert_eq!(graph, "─ reserve\n─ charge   after reserve\n");
        shop.run(&[&["task", "create"], wanted].concat());
        let run = [&["run"], wanted, &["--context", BOOK, "--store", "memory:", "--json"]].concat();
        assert_eq!(json(&shop.run(&run))["state"], "complete");
    }
    // A file counts once by its real path.
    for paths in [&[][..], &[own, again, directory]] {
        let answer = json(&shop.run(&[&["validate", "--json"], paths].concat()));
        assert_eq!((&answer["templates"], &answer["valid"]), (&json!(1), &json!(true)));
    }
}

#[test]
fn what_is_not_one_of_its_templates_is_told() {
    let shop = Shop::new();
    for command in [&["graph"][..], &["run"], &["task", "create"]] {
        let error = shop.refused(&[command, &["ordr"]].concat());
        assert!(error.contains("shop has no template of this name; did you mean `order`?"), "{error}");
        let error = shop.refused(&[command, &["refund"]].concat());
        assert!(error.contains("there are: shop/order"), "{error}");
    }
    for arguments in [&["graph"][..], &["run"], &["task", "create"], &["validate"], &["worker"]] {
        let output = tasker(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("tasker has no templates of its own"), "{error}");
    }
    assert!(!shop.has("shop.db"));
}

#[test]
fn it_goes_by_its_own_name_and_version() {
    let shop = Shop::new();
    assert_eq!(text(&shop.run(&["--version"]).stdout), concat!("shop ", env!("CARGO_PKG_VERSION"), "\n"));
    let output = shop.command(&["order", "book", "0"]).output().unwrap();
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    for command in ["shop task retry", "shop task complete", "shop task cancel"] {
        assert!(page.contains(command), "{page}");
    }
    let list = json(&shop.run(&["task", "list", "--json"]));
    let id = list["tasks"][0]["id"].as_str().unwrap();
    assert!(text(&shop.run(&["task", "show", id]).stdout).contains(&format!("shop task retry {id} charge")));
    let error = shop.refused(&["run", "order", "--cents", "5"]);
    assert!(error.contains("Usage: shop run TEMPLATE"), "{error}");
    // Without a name and a version it goes by the name of its file.
    let version = text(&greeting().arg("--version").output().unwrap().stdout);
    assert_eq!(version, concat!("greeting (tasker ", env!("CARGO_PKG_VERSION"), ")\n"));
    let error = text(&greeting().arg("grephs").output().unwrap().stderr);
    assert!(error.contains("(`greeting --help` lists them)"), "{error}");
    let version = text(&tasker(["--version"]).stdout);
    assert_eq!(version, concat!("tasker ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn warnings_about_templates_are_logged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("odd.yaml");
    std::fs::write(&path, template("a | retri: {}").replace("callable: a", "callable: Shop::Reserve"))
        .unwrap();
    let output = Shop::new().run(&["run", path.to_str().unwrap(), "--store", "memory:", "--context", BOOK]);
    assert!(text(&output.stderr).contains("did you mean `retry`?"), "{}", text(&output.stderr));
}

#[test]
fn the_commands_of_the_example_work_on_its_store_and_template() {
    let directory = TempDir::new().unwrap();
    let example = |arguments: &[&str]| -> Output {
        let mut command = crate::program::example();
        command.args(arguments).current_dir(directory.path()).output().unwrap()
    };
    let failed = example(&["--fail", "billing=permanent", "--latency", "5"]);
    assert!(text(&failed.stdout).contains("user_registration task retry"), "{}", text(&failed.stdout));
    let tasks = json(&example(&["task", "list", "--json"]));
    let id = tasks["tasks"][0]["id"].as_str().unwrap();
    let retried = json(&example(&["task", "retry", id, "--all", "--json"]));
    assert_eq!((&retried["id"], &retried["state"]), (&json!(id), &json!("in_progress")));
    let run = example(&["run", "--latency", "5", "--json"]);
    assert_ne!(run.status.code(), Some(2), "{}", text(&run.stderr));
    let shown: Value = json(&example(&["task", "show", id, "--json"]));
    assert_eq!(shown["state"], "complete", "the run that came next took it over");
    assert!(Path::new(directory.path()).join("user_registration.db").exists());
}
