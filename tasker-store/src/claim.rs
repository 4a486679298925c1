//! The right to run an attempt, and how it is asked for.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::key::StepKey;

/// Which steps a worker does not claim, by the snapshot and the step.
pub type Excluded = HashSet<(TemplateId, StepIndex)>;

/// How much a worker is willing to claim in passing.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// For whom.
    pub worker: WorkerId,
    /// At most this many steps.
    pub limit: usize,
    /// Whether steps of other tasks are welcome, after those that the operation itself made ready.
    pub any: bool,
    /// What is due by now.
    pub now: Timestamp,
    /// Steps that are left to others: no handler here, or as many of a kind are running as may.
    pub excluded: Arc<Excluded>,
    /// From the queue, steps of templates in these namespaces only; `None` for all. So that a store
    /// need not walk over what is others'. The own task's steps, after what the operation did, are
    /// up to `passed` alone.
    pub namespaces: Option<Arc<[String]>>,
}

impl ClaimRequest {
    /// Whether such a step is welcome.
    #[must_use]
    pub fn takes(&self, template: TemplateId, step: StepIndex) -> bool {
        self.excluded.is_empty() || !self.excluded.contains(&(template, step))
    }

    /// Whether steps of this namespace are welcome from the queue.
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
    /// When it was claimed. A claim that was handed back and made again, with the same attempt
    /// number, is another claim by this.
    pub claimed_at: Timestamp,
}

/// What an operation claimed in passing.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Whether steps that are due now were left for want of room, as far as the operation saw.
    pub more: bool,
    /// When the next step that is not due yet will be; only [`Store::claim`](crate::Store::claim) tells.
    pub next_due: Option<Timestamp>,
}
