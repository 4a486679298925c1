//! The transitions of a run: it becomes ready, is claimed, is handed back, ends.

use jiff::Timestamp;

use crate::attempt::{Ending, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest};
use crate::id::WorkerId;
use crate::key::StepKey;
use crate::progress::rank::rank;
use crate::progress::run::RunProgress;
use crate::progress::task::{Moved, Progress};
use crate::state::StepState;
use crate::twin;

impl Progress {
    /// Ends an attempt; `None` when its claim does not hold.
    pub fn finish(&mut self, attempt: &FinishedAttempt, request: &ClaimRequest) -> Option<Moved> {
        let key = attempt.claim.key;
        let is_running = || self.runs.get(&key).is_some_and(|run| run.claim.is_some());
        let holds = self.holds(&attempt.claim) || twin::is("no-fence") && is_running();
        if !holds {
            return None;
        }
        let mut moved = Moved::default();
        match &attempt.ending {
            Ending::Complete { graph, spawned, .. } => {
                if let Some(spawned) = spawned {
                    self.spawn(spawned);
                }
                // Claims in passing are recorded with the attempt, and belong to the worker that made it.
                let taker = Some(request).filter(|request| request.worker == attempt.claim.worker);
                self.end_run(key, graph, attempt.finished_at, taker, &mut moved);
            }
            Ending::Failed { retry_at, .. } => {
                self.let_go(key);
                match retry_at {
                    Some(retry_at) => self.wait(key, StepState::WaitingForRetry, *retry_at),
                    None => self.set(key, StepState::Error),
                }
            }
        }
        self.settle(&mut moved);
        Some(moved)
    }

    /// Hands a claim back. Returns `false` when the claim did not hold.
    pub fn release(&mut self, claim: &Claim, due_at: Option<Timestamp>, now: Timestamp) -> bool {
        if !self.holds(claim) {
            return false;
        }
        self.let_go(claim.key);
        if let Some(run) = self.runs.get_mut(&claim.key) {
            run.attempts -= 1;
        }
        match due_at {
            Some(due_at) => self.wait(claim.key, StepState::Ready, due_at),
            None => self.queue(claim.key, now),
        }
        true
    }

    /// Claims a run that can start.
    pub fn claim(&mut self, key: StepKey, worker: WorkerId, claimed_at: Timestamp) -> Claim {
        let (task, template) = (self.task, self.template);
        let run = self.run(key);
        run.attempts += 1;
        let (attempt, attempts_before_reset) = (run.attempts, run.attempts_before_reset);
        let claim = Claim { task, template, key, attempt, attempts_before_reset, worker, claimed_at };
        run.claim = Some(claim);
        self.claimed += 1;
        self.set(key, StepState::InProgress);
        claim
    }

    /// A run that waited has become due. The store itself writes that down.
    pub fn due(&mut self, key: StepKey) {
        if let Some(run) = self.runs.get_mut(&key) {
            run.due_at = None;
        }
    }

    /// The run can start: it is claimed in passing, as `request` allows, or queued.
    pub(super) fn make_ready(
        &mut self,
        key: StepKey,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        moved: &mut Moved,
    ) {
        let claimed = &mut moved.claimed;
        let wanted = request.filter(|request| request.takes(self.template, key.step));
        match wanted.filter(|request| claimed.claims.len() < request.limit) {
            Some(request) => {
                claimed.claims.push(self.claim(key, request.worker, now));
                if let Some(run) = self.runs.get_mut(&key) {
                    run.in_passing = true;
                }
            }
            None => {
                claimed.more |= wanted.is_some();
                if request.is_some() && wanted.is_none() && !claimed.left.contains(&key.step) {
                    claimed.left.push(key.step);
                }
                self.queue(key, now);
            }
        }
    }

    /// Queues the run, which is due now.
    pub(super) fn queue(&mut self, key: StepKey, now: Timestamp) {
        let rank = rank(now, self.priority);
        self.run(key).rank = Some(rank);
        self.set(key, StepState::Ready);
    }

    /// The run waits in this state until `due_at`.
    pub(super) fn wait(&mut self, key: StepKey, state: StepState, due_at: Timestamp) {
        let rank = rank(due_at, self.priority);
        self.run(key);
        self.set(key, state);
        let run = self.run(key);
        (run.due_at, run.rank) = (Some(due_at), Some(rank));
    }

    /// The run's claim ends.
    pub(super) fn let_go(&mut self, key: StepKey) {
        if let Some(run) = self.runs.get_mut(&key)
            && run.claim.take().is_some()
        {
            self.claimed -= 1;
            run.in_passing = false;
        }
    }

    pub(super) fn set(&mut self, key: StepKey, state: StepState) {
        if let Some(run) = self.runs.get_mut(&key) {
            self.moving -= usize::from(run.is_moving());
            run.state = state;
            self.moving += usize::from(run.is_moving());
            run.due_at = None;
            if state != StepState::Ready {
                run.rank = None;
            }
            self.changed.insert(key);
        }
    }

    /// The run. It is added as a pending one if it is not there.
    pub(super) fn run(&mut self, key: StepKey) -> &mut RunProgress {
        self.runs.entry(key).or_insert_with(|| RunProgress::new(StepState::Pending))
    }

    /// Removes a run that is done, or whose task has ended.
    pub(super) fn remove_run(&mut self, key: StepKey) {
        self.let_go(key);
        if let Some(run) = self.runs.remove(&key) {
            self.moving -= usize::from(run.is_moving());
            if run.has_row {
                self.changed.insert(key);
            } else {
                self.changed.remove(&key);
            }
        }
    }
}
