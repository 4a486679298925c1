//! Whole-system tests of the public API.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test fails by panicking")]

mod away;
mod branches;
mod build;
mod cli;
mod clocks;
mod comparison;
mod configs;
mod crash;
mod described;
mod diagnostics;
mod diff_cli;
mod digits;
mod doctor;
mod doctor_cli;
mod durability;
mod engine;
mod environments;
mod example;
mod faults;
#[cfg(unix)]
mod files;
mod fleet_limits;
mod fuzzed;
mod generate_cli;
mod golden;
mod gone;
mod grants;
mod growth;
mod handlers;
mod history;
#[cfg(unix)]
mod hostile;
mod limit_cli;
mod log;
mod migrate_cli;
mod mounted;
mod new_task_cli;
mod operate;
mod own_writes;
#[path = "../processes/patience.rs"]
mod patience;
mod payload;
mod plans;
#[path = "../postgres/mod.rs"]
mod postgres;
#[cfg(target_os = "linux")]
mod printed;
mod program;
mod refused;
mod result_types;
mod runs;
mod schema;
mod sendable;
mod silent;
mod simulation;
mod spans;
mod steering;
mod step_tasks;
mod store;
mod store_model;
mod struct_handlers;
mod support;
mod tables;
mod task_cli;
#[cfg(unix)]
mod template_files;
mod template_schema;
mod testing;
#[cfg(unix)]
mod tls;
mod transaction;
mod twins;
mod unreadable;
mod validate;
mod validate_formats;
mod versions;
mod waiters;
mod waiting_on;
mod worker_cli;
mod workflow;
