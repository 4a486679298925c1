//! The published example templates of Tasker Core, both dialects, load and mean what their authors wrote.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use tasker_template::{Backoff, Code, RetryPolicy, load_file, template_files};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/reference");

#[test]
fn all_reference_templates_load() {
    let files = template_files(REFERENCE).unwrap();
    assert_eq!(files.len(), 10);
    for file in files {
        let loaded = load_file(&file).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(loaded.plan().len() >= 4, "{}", file.display());
    }
}

#[test]
fn the_two_dialects_give_the_same_graph_and_policies() {
    let load = |dialect| {
        load_file(Path::new(REFERENCE).join(dialect).join("microservices_user_registration.yaml")).unwrap()
    };
    let (rails, axum) = (load("rails"), load("axum"));
    assert_eq!(rails.plan().layers(), axum.plan().layers());
    for (one, other) in rails.template().steps.iter().zip(&axum.template().steps) {
        assert_eq!(one.retry, other.retry, "{}", one.name);
    }
    let first = &rails.template().steps[0].retry;
    let expected = RetryPolicy {
        retryable: true,
        max_attempts: 3,
        backoff: Backoff::Exponential,
        backoff_base_ms: 2_000,
        max_backoff_ms: 30_000,
    };
    assert_eq!(*first, expected);
}

#[test]
fn keys_without_meaning_are_warnings() {
    let loaded = load_file(Path::new(REFERENCE).join("rails/microservices_user_registration.yaml")).unwrap();
    let warnings: Vec<_> = loaded.warnings().iter().map(|one| (one.code, one.line)).collect();
    assert_eq!(warnings, [(Code::UnknownKey, 43)]);
    assert!(loaded.warnings().to_string().contains("task_handler"));
}

#[test]
fn a_snapshot_reads_back_as_it_was() {
    for file in template_files(REFERENCE).unwrap() {
        let template = load_file(&file).unwrap().into_template();
        let snapshot = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<tasker_template::TaskTemplate>(&snapshot).unwrap(), template);
    }
}
