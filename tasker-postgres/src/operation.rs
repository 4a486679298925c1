//! The operations that share a statement.

use jiff::Timestamp;
use tasker_store::{
    Claim, ClaimRequest, Claimed, Created, Ending, Finished, FinishedAttempt, NewTaskRecord, SqlWrite,
    StoreError, TaskId,
};
use tokio::sync::oneshot;

use crate::values::Result;

/// An operation, with the channel on which its caller waits for the answer.
#[derive(Debug)]
pub(crate) enum Operation {
    Create(NewTaskRecord, ClaimRequest, oneshot::Sender<Result<Created>>),
    Finish(FinishedAttempt, ClaimRequest, oneshot::Sender<Result<Finished>>),
    Release(Vec<Claim>, Option<Timestamp>, Timestamp, oneshot::Sender<Result<()>>),
    Claim(ClaimRequest, oneshot::Sender<Result<Claimed>>),
    Revoked(Vec<Claim>, oneshot::Sender<Result<Vec<Claim>>>),
}

impl Operation {
    /// The tasks that it reads or changes, but for a task that it creates.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        match self {
            Self::Create(..) | Self::Claim(..) => Vec::new(),
            Self::Finish(attempt, ..) => vec![attempt.claim.task],
            Self::Release(claims, ..) | Self::Revoked(claims, ..) => {
                claims.iter().map(|claim| claim.task).collect()
            }
        }
    }

    /// The statements of the application's own that it runs.
    pub(crate) fn own_writes(&self) -> &[SqlWrite] {
        match self {
            Self::Finish(FinishedAttempt { ending: Ending::Complete { writes, .. }, .. }, ..) => writes,
            _ => &[],
        }
    }

    /// Its request for claims from the queue.
    pub(crate) fn queue_request(&self) -> Option<&ClaimRequest> {
        match self {
            Self::Claim(request, _) => Some(request),
            Self::Finish(_, request, _) if request.any => Some(request),
            _ => None,
        }
    }

    /// Answers with an error.
    pub(crate) fn refuse(self, error: StoreError) {
        // Whoever asked may have stopped waiting.
        match self {
            Self::Create(.., answer) => drop(answer.send(Err(error))),
            Self::Finish(.., answer) => drop(answer.send(Err(error))),
            Self::Release(.., answer) => drop(answer.send(Err(error))),
            Self::Claim(_, answer) => drop(answer.send(Err(error))),
            Self::Revoked(_, answer) => drop(answer.send(Err(error))),
        }
    }
}
