//! The right to run an attempt, and how it is asked for.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::key::StepKey;

/// The steps that a worker does not claim, each with the template snapshot that it belongs to.
pub type Excluded = HashSet<(TemplateId, StepIndex)>;

/// What a worker is willing to claim, from the queue or in passing.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The worker that will own the claims.
    pub worker: WorkerId,
    /// The largest number of runs to claim.
    pub limit: usize,
    /// Whether runs of other tasks may be claimed too, after those that the operation itself made ready.
    pub any: bool,
    /// The present time: runs that are due by then may be claimed.
    pub now: Timestamp,
    /// Steps that this worker does not claim: it has no handler for them, or their limit is reached.
    pub excluded: Arc<Excluded>,
    /// The namespaces whose steps may be claimed from the queue; `None` for all. With them a store reads only
    /// what this worker can run. Claims in passing depend on `excluded` alone.
    pub namespaces: Option<Arc<[String]>>,
}

impl ClaimRequest {
    /// Whether the worker claims runs of this step.
    #[must_use]
    pub fn takes(&self, template: TemplateId, step: StepIndex) -> bool {
        self.excluded.is_empty() || !self.excluded.contains(&(template, step))
    }

    /// Whether the worker claims steps of this namespace from the queue.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|served| served.iter().any(|one| one == namespace))
    }
}

/// The right to run one attempt of one step, until it is ended or handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The task.
    pub task: TaskId,
    /// The snapshot that the task runs by.
    pub template: TemplateId,
    /// The run of a step.
    pub key: StepKey,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// How many attempts were made before an operator renewed the step's budget.
    pub attempts_before_reset: u32,
    /// The claim's owner.
    pub worker: WorkerId,
    /// When it was claimed. It tells two claims apart that have the same attempt number because the first
    /// was handed back.
    pub claimed_at: Timestamp,
}

/// What an operation claimed.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Whether the operation found more due runs than the request's `limit` allowed it to claim.
    pub more: bool,
    /// The steps of the task that the operation made ready, and that the request excludes.
    pub left: Vec<StepIndex>,
    /// When the next run becomes due that is not due yet. Only [`Store::claim`](crate::Store::claim) fills it
    /// in.
    pub next_due: Option<Timestamp>,
}
