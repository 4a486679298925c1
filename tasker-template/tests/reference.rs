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

/// A template with everything that the format has, or had.
const EVERYTHING: &str = r"
name: everything
namespace_name: a_namespace_with_more_than_29_characters
version: 1.0
description:
metadata: {author: Ada, tags: [a], documentation_url: , created_at: 2026-01-01T00:00:00Z, notes: n, blog_post: p}
system_dependencies: {primary: default, secondary: [mail]}
domain_events: [{name: order.made, description: d, schema: {type: object}}]
input_schema: {type: object, required: [order]}
identity_strategy: strict
default_context: {a: 1}
default_options: {b: 2}
task_handler: {callable: T, initialization: {a: 1}}
lifecycle:
  max_duration_minutes: 1440
  max_waiting_for_dependencies_minutes: 60
  max_waiting_for_retry_minutes: 30
  max_steps_in_process_minutes: 30
  staleness_action: dlq
  auto_fail_on_timeout: true
  auto_dlq_on_timeout: false
steps:
- name: first
  description: text
  handler: {callable: 'A::First', method: call, resolver: explicit, initialization: {worker_template_name: work}}
  type: standard
  system_dependency: mail
  dependencies:
  retry: {retryable: true, max_attempts: 0, backoff: fibonacci, backoff_base_ms: 50, max_backoff_ms: 500, jitter: true}
  timeout_seconds: 30
  publishes_events:
  - {name: Order, condition: always, schema: {}, description: d, delivery_mode: fast, publisher: P}
  result_schema: {type: array}
  lifecycle: {max_steps_in_process_minutes: 5}
  conditions: []
- {name: choose, step_type: decision, depends_on: [first], handler: {callable: Choose}, retry: {limit: 3}}
- {name: batch, type: batchable, dependencies: [choose], handler: {callable: Batch}, retry: , result_schema: ~}
- name: work
  type: batch_worker
  dependencies: [batch]
  handler: {callable: Work}
  composition: {name: c}
  batch_config:
    {batch_size: 10, parallelism: 2, cursor_field: id, worker_template: work, failure_strategy: isolate}
- {name: end, type: deferred_convergence, dependencies: [work, choose], handler: {callable: End}}
environments:
  production:
  test:
    steps:
    - {name: ALL, timeout_seconds: 5, retry: {backoff_base_ms: 1, max_backoff_ms: 10}}
    - {name: nowhere, handler: {callable: X, initialization: {a: 1}}}
";

#[test]
fn everything_that_the_format_has_or_had_loads() {
    let loaded =
        tasker_template::load_str("everything.yaml", EVERYTHING).unwrap_or_else(|faults| panic!("{faults}"));
    let test = loaded.template().for_environment("test");
    assert_eq!((test.steps[0].retry.backoff_base_ms, test.steps[0].timeout_seconds), (1, Some(5)));
    assert!(loaded.template().environments[0].steps.is_empty());
    let warnings = loaded.warnings().to_string();
    for of in [
        "is longer than 29 characters",
        "`identity_strategy` has no meaning",
        "`default_context` has no meaning",
        "`default_options` has no meaning",
        "`task_handler` has no meaning",
        "`resolver` of step `first` has no effect",
        "`max_attempts: 0` of step `first` counts as 1",
        "`jitter` has no meaning",
        "event `Order` should be words",
        "`lifecycle` has no meaning in step `first`",
        "`conditions` has no meaning",
        "`composition` of step `work` is not run",
        "the override of `nowhere` has no effect",
        "`callable` has no meaning",
    ] {
        assert!(warnings.contains(of), "{of}: {warnings}");
    }
    assert_eq!(loaded.warnings().len(), 14, "{warnings}");
}

#[test]
fn a_snapshot_reads_back_as_it_was() {
    for file in template_files(REFERENCE).unwrap() {
        let template = load_file(&file).unwrap().into_template();
        let snapshot = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<tasker_template::TaskTemplate>(&snapshot).unwrap(), template);
    }
}
