//! The application's handle: creating tasks, waiting for them, reading them, operating on them.

pub(crate) mod create;
pub(crate) mod dead_letter;
pub(crate) mod doctor;
pub(crate) mod doctor_report;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod look;
pub(crate) mod needs;
pub(crate) mod new_task;
pub(crate) mod operate;
pub(crate) mod snapshots;
pub(crate) mod stale;
pub(crate) mod step_tasks;
pub(crate) mod task;
pub(crate) mod tasker;
mod text;
pub(crate) mod wait;
pub(crate) mod waits;
