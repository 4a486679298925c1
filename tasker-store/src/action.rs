//! What operators do to tasks. Each action is recorded with who asked for it and why.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_template::Graph;

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

/// What an operator can do to a task. The engine hands in what follows from the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorAction {
    /// Ends it: nothing of it runs any more, and running attempts are told.
    Cancel,
    /// Ends it in the state `error`: it was stale, or it is not worth more attempts.
    GiveUp {
        /// Which of the two.
        reason: DeadLetterReason,
    },
    /// Notes what has become of a task that was given up, and changes nothing else of it.
    Investigate {
        /// What its dead letter has come to.
        status: DeadLetterStatus,
    },
    /// Makes steps ready that have failed for good, with a fresh budget of attempts. In a task that
    /// was cancelled or given up: any steps whose dependencies are done.
    Retry {
        /// The runs, each with how many attempts of it are recorded.
        runs: Vec<(StepKey, u32)>,
    },
    /// Makes a step ready that waits for its next attempt.
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
        /// Who waits for whom.
        graph: Arc<Graph>,
    },
    /// Lets what waits for a step go on without its result.
    Resolve {
        /// The run.
        run: StepKey,
        /// Who waits for whom.
        graph: Arc<Graph>,
    },
}

impl OperatorAction {
    /// The word for it, in the store and everywhere else.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::GiveUp { .. } => "give_up",
            Self::Investigate { .. } => "investigate",
            Self::Retry { .. } => "retry",
            Self::RetryNow { .. } => "retry_now",
            Self::Complete { .. } => "complete",
            Self::Resolve { .. } => "resolve",
        }
    }

    /// The runs that it names.
    #[must_use]
    pub fn runs(&self) -> Vec<StepKey> {
        match self {
            Self::Cancel | Self::GiveUp { .. } | Self::Investigate { .. } => Vec::new(),
            Self::Retry { runs } => runs.iter().map(|(run, _)| *run).collect(),
            Self::RetryNow { run } | Self::Complete { run, .. } | Self::Resolve { run, .. } => vec![*run],
        }
    }
}

/// The answer to an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Acted {
    /// It is done, and recorded.
    Done {
        /// Where the task is now.
        state: TaskState,
        /// Claims that no longer hold because of it.
        revoked: Vec<Claim>,
    },
    /// It cannot be done to a task or step in this state; nothing was changed.
    Refused(Refusal),
    /// There is no such task.
    NoTask,
}

/// Why an action cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The run that it cannot be done to; `None` when it is the task.
    pub run: Option<StepKey>,
    /// The state that it is in.
    pub state: &'static str,
}

/// An action that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionRecord {
    /// The word for it.
    pub action: String,
    /// The runs that it was done to.
    pub runs: Vec<StepKey>,
    /// Who asked for it.
    pub by: String,
    /// The operator's reason, as free text.
    pub reason: String,
    /// The time of the action.
    pub at: Timestamp,
    /// What else is known of it.
    pub details: ActionDetails,
}

/// What is known of an action beyond its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionDetails {
    /// Of `give_up`: where the task was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_state: Option<TaskState>,
    /// Of `give_up`: what the task was waiting for, if for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Of `give_up`: why the task was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetterReason>,
    /// Of `investigate`: what the dead letter has come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DeadLetterStatus>,
}

impl ActionDetails {
    /// Whether nothing else is known.
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

    /// The record of a run that an operator ended by hand; it has the number 0.
    pub(crate) fn by_hand(request: &ActionRequest) -> Option<Self> {
        let (key, outcome, result) = match &request.action {
            OperatorAction::Complete { run, result, .. } => {
                (*run, AttemptOutcome::CompletedManually, Some(result.clone()))
            }
            OperatorAction::Resolve { run, .. } => (*run, AttemptOutcome::ResolvedManually, None),
            _ => return None,
        };
        let (worker, at) = (WorkerId(uuid::Uuid::nil()), request.at);
        Some(Self { key, attempt: 0, worker, started_at: at, finished_at: at, outcome, result, error: None })
    }
}
