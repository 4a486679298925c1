//! `tasker doctor` and stores that it cannot look into.

use serde_json::json;

use crate::program::{migrated, root, tasker, text};

#[test]
fn a_store_that_is_not_there_or_out_of_date_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let url = format!("sqlite://{}", path.display());
    let output = tasker(["doctor", "--store", &url]);
    assert_eq!((output.status.code(), path.exists()), (Some(2), false));
    // Nor are there tables in a file that is empty, or that is the application's so far.
    let shared = format!("{url}?share=true");
    for (url, sql) in [(&url, ""), (&shared, "CREATE TABLE orders (id INTEGER)")] {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        for command in [&["doctor"][..], &["task", "list"]] {
            let output = tasker([command, &["--store", url]].concat());
            let errors = text(&output.stderr);
            assert!(output.status.code() == Some(2) && errors.contains("there is no store"), "{errors}");
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }
    std::fs::copy(root().join("tests/golden/sqlite-v5.db"), &path).unwrap();
    let output = tasker(["doctor", "--store", &url]);
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert!(page.contains("schema_outdated: The schema has version 5, and this program needs"), "{page}");
    // A dry run says so: nothing has migrated it.
    assert_eq!(migrated(&url, &["--dry-run"])["from"], json!(5));
    assert_eq!(migrated(&url, &[])["from"], json!(5));
    let output = tasker(["doctor", "--store", &url, "--complete"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}
