//! Stale tasks: tasks that have waited for the same thing for longer than their limit.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tasker_store::{TaskId, TaskRecord, WaitingFor};
use tasker_template::Lifecycle;

/// How the time that a task has waited compares with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Staleness {
    /// Less than four fifths of the limit.
    Healthy,
    /// Less than the limit.
    Warning,
    /// As long as the limit, or longer.
    Stale,
}

/// How long a task has waited for what it waits for now, and how long it may wait for that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskAge {
    /// The task.
    pub task: TaskId,
    /// What it waits for.
    pub waiting_for: WaitingFor,
    /// For how long, in whole minutes.
    pub minutes: i64,
    /// The limit, in minutes.
    pub limit_minutes: i64,
    /// How close the two are.
    pub staleness: Staleness,
    /// Whether the template asks to give such a task up when it is stale.
    #[serde(skip)]
    pub(crate) acts: bool,
}

/// The limits, in minutes, where neither the template nor the builder has one. A task that exceeds one of these
/// is listed as stale, but is never given up for it.
const STEPS_IN_PROCESS: u32 = 30;
const RETRY: u32 = 30;
const WORKER: u32 = 60;

/// Whether there are limits on how long a task may wait.
pub(crate) fn has_thresholds(lifecycle: &Lifecycle) -> bool {
    lifecycle.max_steps_in_process_minutes.is_some()
        || lifecycle.max_waiting_for_retry_minutes.is_some()
        || lifecycle.max_waiting_for_dependencies_minutes.is_some()
        || lifecycle.max_duration_minutes.is_some()
}

/// The limits of a template, and the builder's where the template has none.
pub(crate) fn with_defaults(own: &Lifecycle, defaults: &Lifecycle) -> Lifecycle {
    Lifecycle {
        max_duration_minutes: own.max_duration_minutes.or(defaults.max_duration_minutes),
        max_waiting_for_dependencies_minutes: own
            .max_waiting_for_dependencies_minutes
            .or(defaults.max_waiting_for_dependencies_minutes),
        max_waiting_for_retry_minutes: own
            .max_waiting_for_retry_minutes
            .or(defaults.max_waiting_for_retry_minutes),
        max_steps_in_process_minutes: own
            .max_steps_in_process_minutes
            .or(defaults.max_steps_in_process_minutes),
        staleness_action: own.staleness_action.clone().or_else(|| defaults.staleness_action.clone()),
        auto_fail_on_timeout: own.auto_fail_on_timeout.or(defaults.auto_fail_on_timeout),
        auto_dlq_on_timeout: own.auto_dlq_on_timeout.or(defaults.auto_dlq_on_timeout),
    }
}

/// How long the task has waited for the same thing; `None` when it waits for nothing. `lifecycle` has the
/// limits that it is held to.
pub(crate) fn look(record: &TaskRecord, lifecycle: &Lifecycle, now: Timestamp) -> Option<TaskAge> {
    let last_end = record.attempts.iter().map(|attempt| attempt.finished_at).max();
    let since_last = last_end.unwrap_or(record.head.created_at);
    let steps = record.steps.iter();
    let waiting_for =
        WaitingFor::of(steps.map(|step| (step.state, step.due_at.is_none_or(|due_at| due_at <= now))))?;
    let (since, limit, default) = match waiting_for {
        WaitingFor::StepsInProcess => {
            let claims = record.steps.iter().filter_map(|step| step.claimed_at);
            let limit = lifecycle.max_steps_in_process_minutes;
            (claims.max().unwrap_or(since_last), limit, STEPS_IN_PROCESS)
        }
        WaitingFor::Worker => {
            let ready = record.steps.iter().filter_map(|step| record.ready_at(step)).min();
            let since = ready.map_or(since_last, |ready| ready.max(since_last));
            (since, lifecycle.max_waiting_for_dependencies_minutes, WORKER)
        }
        _ => (since_last, lifecycle.max_waiting_for_retry_minutes, RETRY),
    };
    let age = |since: Timestamp, limit: u32, acts: bool| {
        let minutes = now.duration_since(since).max(SignedDuration::ZERO).as_mins();
        let limit_minutes = i64::from(limit);
        let staleness = match minutes {
            minutes if minutes >= limit_minutes => Staleness::Stale,
            minutes if minutes * 5 >= limit_minutes * 4 => Staleness::Warning,
            _ => Staleness::Healthy,
        };
        TaskAge { task: record.head.id, waiting_for, minutes, limit_minutes, staleness, acts }
    };
    let gives_up = lifecycle.staleness_action.as_deref() != Some("none");
    if let Some(limit) = lifecycle.max_duration_minutes {
        let whole = age(record.head.created_at, limit, gives_up);
        if whole.is_stale() {
            return Some(whole);
        }
    }
    Some(age(since, limit.unwrap_or(default), gives_up && limit.is_some()))
}

impl TaskAge {
    /// Whether it has waited for as long as its limit, or longer.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.staleness == Staleness::Stale
    }

    pub(crate) fn reason(&self) -> String {
        let what = self.waiting_for.described();
        format!("{what} for {} minutes; the limit is {}", self.minutes, self.limit_minutes)
    }
}
