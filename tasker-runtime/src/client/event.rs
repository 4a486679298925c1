//! What happens while tasks run, for whoever wants to watch.

use jiff::Timestamp;
use serde::Serialize;
use tasker_store::{AttemptOutcome, TaskId, TaskState};

/// Something that happened; sent once it is durable.
///
/// Events are for showing, not for acting upon: a slow listener misses some. The store has it all.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An attempt has begun.
    StepStarted {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt has ended.
    StepFinished {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How.
        outcome: AttemptOutcome,
        /// Why, when it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// When the step is tried again, when it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// A task does not go on by itself.
    TaskSettled {
        /// The task.
        task: TaskId,
        /// In which state.
        state: TaskState,
    },
}
