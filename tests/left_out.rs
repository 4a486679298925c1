//! A store that the program was built without: every command says which feature brings it. Says something
//! when features are left out:
//! `cargo test -p tasker --no-default-features --features cli --test left_out`

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn tasker(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tasker"));
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).env_remove("TASKER_STORE_URL").env_remove("RUST_LOG");
    command.args(arguments).output().unwrap()
}

#[test]
fn a_store_that_was_left_out_says_which_feature_brings_it() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/greeting.yaml");
    let create = ["task", "create", template.to_str().unwrap()];
    for (url, feature, is_in) in [
        ("sqlite://no/such.db", "sqlite", cfg!(feature = "sqlite")),
        ("postgres://nobody@127.0.0.1:1/nothing", "postgres", cfg!(feature = "postgres")),
    ] {
        for command in [
            &["task", "list"][..],
            &create,
            &["worker", "list"],
            &["limit", "list"],
            &["migrate"],
            &["migrate", "--dry-run"],
        ] {
            let output = tasker(&[command, &["--store", url]].concat());
            let error = String::from_utf8(output.stderr).unwrap();
            let says_so = error.contains(&format!("add the feature `{feature}` of tasker"));
            assert_eq!(says_so, !is_in, "{command:?}: {error}");
            assert!(is_in || output.status.code() == Some(3), "{command:?}: {:?}", output.status);
        }
    }
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_program_without_the_default_store_says_so_when_none_is_named() {
    let output = tasker(&["task", "list"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("add the feature `sqlite` of tasker"));
}
