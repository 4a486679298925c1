//! Attempts: how one ends, and the record of it.

use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::{Graph, StepIndex};

use crate::claim::{Claim, Claimed};
use crate::error_record::ErrorRecord;
use crate::id::WorkerId;
use crate::json::Json;
use crate::key::StepKey;
use crate::sql_write::SqlWrite;
use crate::state::{AttemptOutcome, TaskState};

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct FinishedAttempt {
    /// The claim under which it was made.
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
    /// The handler returned a result.
    Complete {
        /// The result.
        result: Json,
        /// The task's graph, from which follows what can run now.
        graph: Arc<Graph>,
        /// The runs of a dependent step, when the result asks for several of them.
        spawned: Option<Spawned>,
        /// The application's own statements, which are committed together with the result.
        writes: Arc<[SqlWrite]>,
    },
    /// There is no result.
    Failed {
        /// The way in which it failed: an error, a timeout, a panic, a crash.
        outcome: AttemptOutcome,
        /// The error that is recorded with the attempt.
        error: ErrorRecord,
        /// When the step is tried again; `None` when it has failed for good.
        retry_at: Option<Timestamp>,
    },
}

/// The several runs of a step, as a step that it depends on asks for them. No runs when `inputs` is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Spawned {
    /// The step that gets the runs.
    pub step: StepIndex,
    /// The input of each run, beginning with that of run 1.
    pub inputs: Arc<[Json]>,
}

/// The answer to [`Store::finish`](crate::Store::finish).
#[derive(Clone, Debug)]
pub enum Finished {
    /// The attempt is recorded.
    Recorded {
        /// What was claimed by the same operation.
        claimed: Claimed,
        /// The task's state, when this attempt has settled the task.
        settled: Option<TaskState>,
    },
    /// The claim does not hold any more; nothing was changed.
    Stale,
}

/// The record of an attempt that has ended.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The run.
    pub key: StepKey,
    /// The number of the attempt, from 1; 0 where no worker made one.
    pub attempt: u32,
    /// The worker that made it; the nil id where none did.
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
        let Claim { key, attempt: number, worker, .. } = attempt.claim;
        let (outcome, result, error) = match &attempt.ending {
            Ending::Complete { result, .. } => (AttemptOutcome::Complete, Some(result.clone()), None),
            Ending::Failed { outcome, error, .. } => (*outcome, None, Some(error.clone())),
        };
        let (started_at, finished_at) = (attempt.started_at, attempt.finished_at);
        Self { key, attempt: number, worker, started_at, finished_at, outcome, result, error }
    }
}

impl AttemptRecord {
    /// The record of a step that was given no runs: attempt 0, with an empty list as its result.
    #[must_use]
    pub fn without_runs(step: StepIndex, at: Timestamp) -> Self {
        Self {
            key: step.into(),
            attempt: 0,
            worker: WorkerId(uuid::Uuid::nil()),
            started_at: at,
            finished_at: at,
            outcome: AttemptOutcome::Complete,
            result: Some(Json::empty_list()),
            error: None,
        }
    }
}
