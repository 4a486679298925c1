//! The rules of a run: its row, and the attempts that are recorded of it.

use std::collections::BTreeMap;

use crate::doctor::check::{Check, DERIVED_ANEW};
use crate::doctor::facts::RunFacts;
use crate::doctor::finding::FindingKind;
use crate::key::StepKey;
use crate::state::StepState;

/// What to do about a row that counts more attempts than there are.
const MORE_COUNTED: &str = "It cannot be repaired: attempts that are not recorded may have been made. They count \
                            against `max_attempts`; `task retry` gives it a fresh budget.";

impl Check<'_> {
    /// Each row is one that its run may have.
    pub(super) fn runs(&mut self) {
        for run in self.facts.runs.clone() {
            if let Some(what) = self.out_of_place(&run) {
                let way_out = if run.is_misfiled { "Correct the row by hand." } else { DERIVED_ANEW };
                self.find(FindingKind::RunOutOfPlace, Some(run.key), what, way_out);
            } else if let Some(what) = not_queued(&run, self.is_open(run.key.step)) {
                self.find(FindingKind::RunNotQueued, Some(run.key), what, DERIVED_ANEW);
            }
            let used = run.attempts.saturating_sub(run.attempts_before_reset);
            if let Some(max) = self.template.max_attempts(run.key.step).filter(|max| used > *max) {
                let what = format!("it has had {used} attempts, and its template allows {max}.");
                let way_out =
                    "Report it with the task's timeline: an attempt more than allowed has been made.";
                self.find(FindingKind::TooManyAttempts, Some(run.key), what, way_out);
            }
        }
    }

    /// Why a run must not have its row.
    fn out_of_place(&self, run: &RunFacts) -> Option<String> {
        let RunFacts { key, state, worker, rank, .. } = *run;
        let task = self.facts.row.state;
        if !self.is_in_template(key) {
            return Some("the template has no such step.".to_owned());
        }
        if run.is_misfiled {
            return Some("its row names another template or namespace than that of its task.".to_owned());
        }
        if self.is_done(key.step) {
            return Some(format!("the step is done, and has a run that is {state}."));
        }
        if task.is_over() && run.is_moving() {
            return Some(format!("the run is {state}, and its task is {task}."));
        }
        if !self.is_open(key.step) && state != StepState::Pending {
            return Some(format!("the run is {state}, and the step waits for others."));
        }
        if rank.is_some() && !matches!(state, StepState::Ready | StepState::WaitingForRetry) {
            return Some(format!("the run is {state}, and in the queue."));
        }
        if worker.is_some() && state != StepState::InProgress {
            return Some(format!("the run is {state}, and claimed."));
        }
        None
    }

    /// The attempts of each run are numbered from 1 without gaps, one at most has completed it, and its row
    /// counts them.
    pub(super) fn attempts(&mut self) {
        let mut numbers: BTreeMap<StepKey, (Vec<u32>, usize)> = BTreeMap::new();
        for attempt in &self.facts.attempts {
            let (made, results) = numbers.entry(attempt.key).or_default();
            made.extend(Some(attempt.attempt).filter(|number| *number > 0));
            *results += usize::from(attempt.outcome.is_done());
        }
        for (key, (mut made, results)) in numbers.clone() {
            made.sort_unstable();
            let by_hand = "It cannot be repaired: the record of what has happened is incomplete.";
            if !self.is_in_template(key) {
                let what = "attempts are recorded of a step that the template does not have.".to_owned();
                self.find(FindingKind::WrongAttempts, Some(key), what, by_hand);
            } else if let Some(missing) = (1..).zip(&made).find(|(number, made)| number != *made) {
                let what = format!("attempt {} is not recorded, and later ones are.", missing.0);
                self.find(FindingKind::WrongAttempts, Some(key), what, by_hand);
            }
            if results > 1 {
                let what = format!("{results} attempts have completed the run.");
                self.find(FindingKind::WrongAttempts, Some(key), what, by_hand);
            }
        }
        for run in self.facts.runs.clone() {
            let made = numbers.get(&run.key).and_then(|(made, _)| made.iter().max()).copied().unwrap_or(0);
            let counted = made + u32::from(run.state == StepState::InProgress);
            if run.attempts != counted {
                let what =
                    format!("its row counts {} attempts, and by the record it is {counted}.", run.attempts);
                let way_out = if run.attempts < counted { DERIVED_ANEW } else { MORE_COUNTED };
                self.find(FindingKind::WrongAttempts, Some(run.key), what, way_out);
            }
        }
    }
}

/// Why nobody ever claims a run that should be claimed, or ends one that is claimed.
fn not_queued(run: &RunFacts, is_open: bool) -> Option<String> {
    let RunFacts { state, rank, worker, claimed_at, .. } = *run;
    match state {
        StepState::Ready | StepState::WaitingForRetry if rank.is_none() => {
            Some(format!("the run is {state}, and in no queue."))
        }
        StepState::InProgress if worker.is_none() || claimed_at.is_none() => {
            Some("the run is in progress, and no worker has claimed it.".to_owned())
        }
        StepState::Pending if is_open => {
            Some("everything that the step waits for is done, and its run is not ready.".to_owned())
        }
        _ => None,
    }
}
