//! Claims, and the workers that they belong to.

use std::collections::{BTreeSet, HashMap};

use crate::claim::Claim;
use crate::doctor::facts::{TaskFacts, WorkerFacts};
use crate::doctor::finding::{Finding, FindingKind};
use crate::id::WorkerId;
use crate::key::StepKey;
use crate::state::{StepState, TaskState};

/// A claim that no living worker owns. It may be about to be ended: it is a finding once a second look finds
/// it still there.
#[derive(Clone, Copy, Debug)]
pub struct Suspect {
    /// The claim.
    pub claim: Claim,
    /// Its owner, if the store knows it.
    pub worker: Option<WorkerFacts>,
}

/// The claims on a task that hold by its rows.
#[must_use]
pub fn claims(facts: &TaskFacts) -> Vec<Claim> {
    let TaskFacts { row, runs, .. } = facts;
    let of_rows = runs.iter().filter(|run| run.state == StepState::InProgress).filter_map(|run| {
        Some(Claim {
            task: row.task,
            template: row.template,
            key: run.key,
            attempt: run.attempts,
            attempts_before_reset: run.attempts_before_reset,
            worker: run.worker?,
            claimed_at: run.claimed_at?,
        })
    });
    let mut claims: Vec<Claim> = of_rows.collect();
    if row.state == TaskState::InProgress {
        claims.extend(claims_in_passing(facts));
    }
    claims
}

/// The claims that were made in passing: they are listed with what was recorded then, and hold while their step
/// has neither an attempt nor a row.
#[must_use]
pub fn claims_in_passing(facts: &TaskFacts) -> Vec<Claim> {
    let TaskFacts { row, runs, attempts, .. } = facts;
    let mut begun: BTreeSet<StepKey> = runs.iter().map(|run| run.key).collect();
    begun.extend(attempts.iter().map(|attempt| attempt.key));
    let creation = row.creator.map(|worker| (worker, row.created_at, &row.claimed));
    let later = attempts.iter().map(|one| (one.worker, one.finished_at, &one.claimed));
    let mut claims = Vec::new();
    for (worker, claimed_at, steps) in creation.into_iter().chain(later) {
        for key in steps.iter().map(|step| StepKey::from(*step)) {
            if begun.insert(key) {
                let (task, template) = (row.task, row.template);
                claims.push(Claim {
                    task,
                    template,
                    key,
                    attempt: 1,
                    attempts_before_reset: 0,
                    worker,
                    claimed_at,
                });
            }
        }
    }
    claims
}

/// Those of the claims that no living worker owns.
#[must_use]
pub fn suspects(claims: Vec<Claim>, workers: &[WorkerFacts]) -> Vec<Suspect> {
    let known: HashMap<WorkerId, WorkerFacts> = workers.iter().map(|worker| (worker.id, *worker)).collect();
    let owner = |claim: &Claim| known.get(&claim.worker).copied();
    let suspects = claims.into_iter().map(|claim| Suspect { worker: owner(&claim), claim });
    suspects.filter(|suspect| !suspect.worker.is_some_and(|worker| worker.alive)).collect()
}

impl Suspect {
    /// The finding, now that it has been looked at twice. `step` is the name of the run's step, and
    /// `is_anybody_alive` whether there is a worker that should have ended the claim.
    #[must_use]
    pub fn finding(&self, step: String, is_anybody_alive: bool) -> Finding {
        let Claim { task, worker, attempt, claimed_at, .. } = self.claim;
        let finding = match &self.worker {
            Some(owner) => {
                let what = format!("attempt {attempt} is claimed by a worker that is dead.");
                let way_out = if is_anybody_alive {
                    "Other workers are alive and have not ended it: look into their logs. `--repair` ends it \
                     as crashed."
                } else {
                    "No worker is alive: the next one that starts ends it as crashed, and so does `--repair`."
                };
                let since = owner.last_beat.map_or(claimed_at, |beat| beat.max(claimed_at));
                Finding { since: Some(since), ..Finding::new(FindingKind::OrphanedClaim, what, way_out) }
            }
            None => {
                let what = format!("attempt {attempt} is claimed by a worker that the store does not know.");
                let way_out = "No worker takes it over. `--repair` ends it as crashed.";
                let finding = Finding::new(FindingKind::UnknownWorker, what, way_out);
                Finding { since: Some(claimed_at), ..finding }
            }
        };
        Finding { task: Some(task), step: Some(step), worker: Some(worker), ..finding }
    }
}
