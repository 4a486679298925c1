//! Attempts: what comes of one, and what is kept of it.

use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::claim::{Claim, Claimed};
use crate::error_record::ErrorRecord;
use crate::id::WorkerId;
use crate::json::Json;
use crate::sql_write::SqlWrite;
use crate::state::{AttemptOutcome, TaskState};

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct FinishedAttempt {
    /// The claim that it was made under.
    pub claim: Claim,
    /// When the handler was called.
    pub started_at: Timestamp,
    /// When it returned.
    pub finished_at: Timestamp,
    /// How it ended, and what follows.
    pub ending: Ending,
}

/// How an attempt ended, and what follows.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With a result.
    Complete {
        /// The result.
        result: Json,
        /// The steps that wait for this one.
        dependents: Arc<[Dependent]>,
        /// When no step waits for this one: all such steps of the template. The task is complete
        /// when all of them are.
        ends: Option<Arc<[StepIndex]>>,
        /// What is written into tables of the application's own, with the result or not at all.
        writes: Arc<[SqlWrite]>,
    },
    /// Without one.
    Failed {
        /// How.
        outcome: AttemptOutcome,
        /// Why.
        error: ErrorRecord,
        /// When the step is tried again; `None` when it has failed for good.
        retry_at: Option<Timestamp>,
    },
}

/// A step that waits for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// The step.
    pub step: StepIndex,
    /// All steps that it waits for.
    pub parents: Arc<[StepIndex]>,
}

/// The answer to [`Store::finish`].
#[derive(Clone, Debug)]
pub enum Finished {
    /// The attempt is recorded.
    Recorded {
        /// What was claimed in passing.
        claimed: Claimed,
        /// The state that this brought the task into, when the task has settled.
        settled: Option<TaskState>,
    },
    /// The claim no longer held; nothing was changed.
    Stale,
}

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The step.
    pub step: StepIndex,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Who made it.
    pub worker: WorkerId,
    /// When the handler was called.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The result, when it has one.
    pub result: Option<Json>,
    /// The error, when it has one.
    pub error: Option<ErrorRecord>,
}

impl From<&FinishedAttempt> for AttemptRecord {
    fn from(attempt: &FinishedAttempt) -> Self {
        let Claim { step, attempt: number, worker, .. } = attempt.claim;
        let (outcome, result, error) = match &attempt.ending {
            Ending::Complete { result, .. } => (AttemptOutcome::Complete, Some(result.clone()), None),
            Ending::Failed { outcome, error, .. } => (*outcome, None, Some(error.clone())),
        };
        let (started_at, finished_at) = (attempt.started_at, attempt.finished_at);
        Self { step, attempt: number, worker, started_at, finished_at, outcome, result, error }
    }
}
