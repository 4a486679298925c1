//! What an operation comes to when it is applied to what is known of its tasks.

use std::collections::HashSet;

use tasker_store::progress::{EndedAttempt, Moved, Progress};
use tasker_store::{
    AttemptRecord, Claim, ClaimRequest, Claimed, FinishedAttempt, StoreError, TaskState, TemplateId,
};

use crate::batch::Batch;
use crate::operation::Operation;
use crate::task_update::{TaskUpdate, TaskUpdates};
use crate::values::Result;

/// What an operation has come to, provided that its tasks are written.
#[derive(Debug)]
pub(crate) enum Outcome {
    Created(Claimed),
    Recorded(Moved),
    /// The attempt was recorded before, by an operation whose answer did not arrive: with the claims that
    /// it made in passing, and the task's state.
    AlreadyRecorded(Vec<Claim>, TaskState),
    /// There is no such task, or the claim does not hold.
    Stale,
    Released,
    /// It asks for claims from the queue, and for nothing else.
    FromQueue,
    Revoked(Vec<Claim>),
    /// Its request cannot share the claims of this batch, so that it waits for the next.
    NextBatch,
}

impl Outcome {
    /// How many steps were claimed in passing.
    pub(crate) fn claimed(&self) -> usize {
        match self {
            Self::Created(claimed) => claimed.claims.len(),
            Self::Recorded(moved) => moved.claimed.claims.len(),
            _ => 0,
        }
    }
}

/// What a writer knows beside its tasks.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// Templates that are in the database. They are never deleted.
    pub(crate) templates: HashSet<TemplateId>,
    /// Claims whose attempts are in doubt: a statement that was not answered may have recorded them.
    pub(crate) in_doubt: HashSet<Claim>,
}

/// Applies an operation to what is known of its tasks. Attempts and new tasks are added to the batch; what
/// changes of tasks that are there already is added when all operations have been applied.
pub(crate) fn apply(
    operation: &Operation,
    knowledge: &Knowledge,
    tasks: &mut TaskUpdates,
    batch: &mut Batch,
) -> Result<Outcome> {
    match operation {
        Operation::Create(task, request, _) => {
            if !knowledge.templates.contains(&task.template) {
                return Err(StoreError::NoTemplate(task.template));
            }
            let mut progress = Progress::new(task.id, task.template, task.priority);
            let moved = progress.start(&task.graph, task.run_at, task.created_at, request);
            batch.create(task, &moved.listed(), request)?;
            tasks.insert(task.id, TaskUpdate::created(progress, task.created_at));
            Ok(Outcome::Created(moved.claimed))
        }
        Operation::Finish(attempt, request, _) => {
            let Some(task) = tasks.get_mut(&attempt.claim.task) else { return Ok(Outcome::Stale) };
            match finish(attempt, request, task, batch)? {
                Some(moved) => Ok(Outcome::Recorded(moved)),
                None if knowledge.in_doubt.contains(&attempt.claim) => Ok(recorded_before(attempt, task)),
                None => Ok(Outcome::Stale),
            }
        }
        Operation::Release(claims, due_at, now, _) => {
            for claim in claims {
                if let Some(task) = tasks.get_mut(&claim.task)
                    && task.holds(claim)
                {
                    task.progress.release(claim, *due_at, *now);
                }
            }
            Ok(Outcome::Released)
        }
        Operation::Claim(..) => Ok(Outcome::FromQueue),
        Operation::Revoked(claims, _) => {
            let mut holds = |claim: &Claim| tasks.get_mut(&claim.task).is_some_and(|task| task.holds(claim));
            Ok(Outcome::Revoked(claims.iter().filter(|claim| !holds(claim)).copied().collect()))
        }
    }
}

/// Ends an attempt; `None` when its claim does not hold.
fn finish(
    attempt: &FinishedAttempt,
    request: &ClaimRequest,
    task: &mut TaskUpdate,
    batch: &mut Batch,
) -> Result<Option<Moved>> {
    if !task.holds(&attempt.claim) {
        return Ok(None);
    }
    let Some(moved) = task.progress.finish(attempt, request) else { return Ok(None) };
    task.at = attempt.finished_at;
    let id = attempt.claim.task;
    batch.attempt(id, &AttemptRecord::from(attempt), &moved.listed())?;
    moved.records.iter().try_for_each(|record| batch.attempt(id, record, &[]))?;
    Ok(Some(moved))
}

/// Whether an attempt in doubt was recorded after all, as far as the task's attempts tell.
fn recorded_before(attempt: &FinishedAttempt, task: &TaskUpdate) -> Outcome {
    let FinishedAttempt { claim, finished_at, .. } = attempt;
    let is_this = |ended: &&EndedAttempt| {
        (ended.key, ended.attempt) == (claim.key, claim.attempt)
            && (ended.worker, ended.finished_at) == (claim.worker, *finished_at)
    };
    let Some(ended) = task.ended.iter().find(is_this) else {
        return Outcome::Stale;
    };
    // One of several runs has a row, in which the claim is.
    let in_passing = |other: &Claim| {
        (other.worker, other.claimed_at) == (claim.worker, *finished_at)
            && (!other.key.is_only() || ended.claimed.contains(&other.key.step))
    };
    Outcome::AlreadyRecorded(task.progress.claims().filter(in_passing).collect(), task.progress.state)
}
