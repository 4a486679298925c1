//! Directories of templates, as they are mounted and edited.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;
use tasker_runtime::Tasker;
use tempfile::TempDir;

use crate::program::{json, tasker, text};
use crate::support::template;

/// How many templates a worker and `tasker validate` find in the directory.
#[track_caller]
fn found(directory: &Path) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = runtime.block_on(async {
        let builder = Tasker::builder().templates(directory).without_worker().store_url("memory:");
        let tasker = builder.build().await.unwrap_or_else(|error| panic!("{error}"));
        let templates = tasker.describe().templates;
        tasker.shutdown().await;
        templates
    });
    let output = tasker(["validate".as_ref(), "--json".as_ref(), directory.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(json(&output)["templates"], json!(started));
    started
}

#[test]
fn a_mounted_config_map_has_each_template_once() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("..2026_01")).unwrap();
    fs::write(path("..2026_01/order.yaml"), template("a")).unwrap();
    symlink("..2026_01", path("..data")).unwrap();
    symlink("..data/order.yaml", path("order.yaml")).unwrap();
    assert_eq!(found(directory.path()), 1);
    // The directory of an update that is under way.
    fs::create_dir(path("..2026_02")).unwrap();
    fs::write(path("..2026_02/order.yaml"), template("a\nb: a")).unwrap();
    assert_eq!(found(directory.path()), 1);
}

#[test]
fn what_begins_with_a_dot_is_no_template_and_links_add_none() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("order.yaml"), template("a")).unwrap();
    fs::create_dir(path("more")).unwrap();
    symlink("../order.yaml", path("more/same.yml")).unwrap();
    symlink("..", path("more/back")).unwrap();
    for hidden in [".order.yaml", "._order.yaml", "more/.kept.yaml"] {
        fs::write(path(hidden), "no: template").unwrap();
    }
    symlink("nobody@nowhere:1", path(".#order.yaml")).unwrap();
    assert_eq!(found(directory.path()), 1);
}

#[test]
fn a_directory_may_itself_begin_with_a_dot() {
    let directory = TempDir::new().unwrap();
    let hidden = directory.path().join(".templates");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("order.yaml"), template("a")).unwrap();
    assert_eq!(found(&hidden), 1);
}
