//! `tasker migrate`, with real processes.

use serde_json::json;
use tempfile::TempDir;

use crate::postgres::Schema;
use crate::program::{created, migrated, root, sqlite, tasker, text};

/// A dry run changes nothing, a migration brings it up to date, and a second one does nothing.
fn migrates(store: &str, newest: i64, table: &str) {
    for _ in 0..2 {
        let plan = migrated(store, &["--dry-run"]);
        assert_eq!((&plan["from"], &plan["to"]), (&json!(0), &json!(newest)));
        let page = text(&tasker(["migrate", "--store", store, "--dry-run"]).stdout);
        assert!(page.starts_with("-- ") && page.contains(table), "{page}");
    }
    let done = migrated(store, &[]);
    assert_eq!((&done["from"], &done["to"], &done["dry_run"]), (&json!(0), &json!(newest), &json!(false)));
    for more in [&[][..], &["--dry-run"]] {
        let again = migrated(store, more);
        assert_eq!((&again["from"], &again["sql"]), (&json!(newest), &json!([])));
    }
    let output = tasker(["migrate", "--store", store]);
    assert!(text(&output.stdout).contains("there is nothing to do"), "{}", text(&output.stdout));
    created(store, "templates/greeting.yaml", r#"{"id": 7}"#);
}

#[test]
fn a_file_is_migrated_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("t.db");
    migrated(&sqlite(&directory), &["--dry-run"]);
    assert!(!path.exists(), "a dry run makes no file");
    migrates(&sqlite(&directory), 7, "CREATE TABLE task (");
}

#[test]
fn an_older_file_is_left_alone_by_a_dry_run() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("t.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let script = |name| std::fs::read_to_string(root().join("tasker-sqlite/migrations").join(name)).unwrap();
    connection.execute_batch(&script("001_initial.sql")).unwrap();
    connection
        .execute_batch(&format!("PRAGMA user_version = 1; PRAGMA application_id = {};", 0x5441_534b))
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let plan = migrated(&sqlite(&directory), &["--dry-run"]);
    assert_eq!((&plan["from"], &plan["to"]), (&json!(1), &json!(7)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // What is printed is what brings it up to date.
    let sql: Vec<&str> = plan["sql"].as_array().unwrap().iter().map(|sql| sql.as_str().unwrap()).collect();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&sql.join("\n")).unwrap();
    drop(connection);
    assert_eq!(migrated(&sqlite(&directory), &[])["from"], 7);
}

#[test]
fn a_schema_is_migrated_once() {
    let schema = Schema::new();
    migrates(&schema.url(), 4, &format!("CREATE TABLE \"{}\".step (", schema.name()));
}
