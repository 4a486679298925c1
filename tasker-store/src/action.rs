//! What operators do to tasks. Each action is recorded with who asked for it and why.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_template::{Graph, StepIndex};

use crate::attempt::AttemptRecord;
use crate::claim::Claim;
use crate::error_record::{ErrorKind, ErrorRecord};
use crate::id::{TaskId, WorkerId};
use crate::json::Json;
use crate::key::StepKey;
use crate::state::{AttemptOutcome, DeadLetterReason, DeadLetterStatus, TaskState};
use crate::waiting::WaitingFor;

/// An action on a task, as a store is asked for it.
#[derive(Clone, Debug)]
pub struct ActionRequest {
    /// The task.
    pub task: TaskId,
    /// What to do.
    pub action: OperatorAction,
    /// Who asks for it.
    pub by: String,
    /// The operator's reason, as free text.
    pub reason: String,
    /// The time of the action.
    pub at: Timestamp,
}

/// What an operator can do to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorAction {
    /// Ends the task: its running attempts are told to end, and no other attempt begins.
    Cancel,
    /// Ends the task in the state `error`: it was stale, or it is not worth more attempts.
    GiveUp {
        /// Why it is given up.
        reason: DeadLetterReason,
    },
    /// Sets the status of the dead letter of a task that was given up. Nothing else of the task changes.
    Investigate {
        /// The dead letter's new status.
        status: DeadLetterStatus,
    },
    /// Makes runs ready that have failed for good, with a fresh budget of attempts. In a task that was
    /// cancelled or given up, these may be any runs whose dependencies are done.
    Retry {
        /// The runs, each with how many attempts of it are recorded.
        runs: Vec<(StepKey, u32)>,
    },
    /// Makes a run ready that waits for its next attempt.
    RetryNow {
        /// The run.
        run: StepKey,
    },
    /// Completes a step with a result that somebody made by hand.
    Complete {
        /// The run.
        run: StepKey,
        /// The result.
        result: Json,
        /// The task's graph.
        graph: Arc<Graph>,
    },
    /// Gives a result to a run that was resolved without one, unless a step that reads it has begun.
    GiveResult {
        /// The run.
        run: StepKey,
        /// The result.
        result: Json,
        /// The steps that read it, or may.
        readers: Vec<StepIndex>,
    },
    /// Replaces the context of a task of which no attempt is running.
    Amend {
        /// The new context.
        context: Json,
    },
    /// Marks a run as done without a result, so that the steps which depend on it can run.
    Resolve {
        /// The run.
        run: StepKey,
        /// The task's graph.
        graph: Arc<Graph>,
    },
    /// Puts right what of the task contradicts the attempts that are recorded; refused when nothing does.
    Repair {
        /// The task's graph.
        graph: Arc<Graph>,
        /// The greatest number of an attempt that is recorded of each run.
        recorded: Vec<(StepKey, u32)>,
    },
}

impl OperatorAction {
    /// The action's word, in stores, output and records: `retry_now`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::GiveUp { .. } => "give_up",
            Self::Investigate { .. } => "investigate",
            Self::Retry { .. } => "retry",
            Self::RetryNow { .. } => "retry_now",
            Self::Complete { .. } | Self::GiveResult { .. } => "complete",
            Self::Amend { .. } => "amend",
            Self::Resolve { .. } => "resolve",
            Self::Repair { .. } => "repair",
        }
    }

    /// The runs that the action names; none for an action on the whole task.
    #[must_use]
    pub fn runs(&self) -> Vec<StepKey> {
        match self {
            Self::Cancel
            | Self::GiveUp { .. }
            | Self::Investigate { .. }
            | Self::Amend { .. }
            | Self::Repair { .. } => Vec::new(),
            Self::Retry { runs } => runs.iter().map(|(run, _)| *run).collect(),
            Self::RetryNow { run }
            | Self::Complete { run, .. }
            | Self::GiveResult { run, .. }
            | Self::Resolve { run, .. } => vec![*run],
        }
    }
}

/// The answer to an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Acted {
    /// The action is done, and recorded.
    Done {
        /// The task's state after it.
        state: TaskState,
        /// The claims that the action has revoked.
        revoked: Vec<Claim>,
    },
    /// The action is not possible in the present state of the task or run; nothing was changed.
    Refused(Refusal),
    /// There is no such task.
    NoTask,
}

/// The state that makes an action impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The run whose state it is; `None` when it is the task's.
    pub run: Option<StepKey>,
    /// The word for that state.
    pub state: &'static str,
}

/// An action that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionRecord {
    /// The action's word, as [`OperatorAction::as_str`] gives it.
    pub action: String,
    /// The runs that it was done to; empty when it was done to the whole task.
    pub runs: Vec<StepKey>,
    /// Who asked for it.
    pub by: String,
    /// The operator's reason, as free text.
    pub reason: String,
    /// The time of the action.
    pub at: Timestamp,
    /// What is recorded for this kind of action only.
    pub details: ActionDetails,
}

/// What is recorded of an action for its kind only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionDetails {
    /// Of `give_up`: the state that the task was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_state: Option<TaskState>,
    /// Of `give_up`: what the task was waiting for; `None` when it waited for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Of `give_up`: why the task was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetterReason>,
    /// Of `investigate`: the dead letter's new status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DeadLetterStatus>,
}

impl ActionDetails {
    /// Whether there are no details.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ActionRecord {
    /// The record of an action that was done.
    #[must_use]
    pub fn new(request: &ActionRequest, details: ActionDetails) -> Self {
        let ActionRequest { action, by, reason, at, .. } = request;
        let (word, runs) = (action.as_str().to_owned(), action.runs());
        Self { action: word, runs, by: by.clone(), reason: reason.clone(), at: *at, details }
    }
}

impl AttemptRecord {
    /// The record of an attempt that an operator ended.
    pub(crate) fn ended_by(claim: &Claim, request: &ActionRequest) -> Self {
        let message =
            format!("ended by {}, to {} it: {}", request.by, request.action.as_str(), request.reason);
        Self {
            key: claim.key,
            attempt: claim.attempt,
            worker: claim.worker,
            started_at: claim.claimed_at,
            finished_at: request.at,
            outcome: AttemptOutcome::Cancelled,
            result: None,
            error: Some(ErrorRecord::new(ErrorKind::Permanent, message).with_code("CANCELLED")),
        }
    }

    /// The record of a run that an operator completed or resolved, as attempt 0; `None` for other actions. That
    /// of a run which is given its result later takes the place of the first.
    pub(crate) fn by_hand(request: &ActionRequest) -> Option<Self> {
        let (key, outcome, result) = match &request.action {
            OperatorAction::Complete { run, result, .. } | OperatorAction::GiveResult { run, result, .. } => {
                (*run, AttemptOutcome::CompletedManually, Some(result.clone()))
            }
            OperatorAction::Resolve { run, .. } => (*run, AttemptOutcome::ResolvedManually, None),
            _ => return None,
        };
        let (worker, at) = (WorkerId(uuid::Uuid::nil()), request.at);
        Some(Self { key, attempt: 0, worker, started_at: at, finished_at: at, outcome, result, error: None })
    }
}
