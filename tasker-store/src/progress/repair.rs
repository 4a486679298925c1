//! Puts right what contradicts the attempts that are recorded and the graph.

use jiff::Timestamp;
use tasker_template::{Graph, StepIndex};

use crate::attempt::AttemptRecord;
use crate::key::StepKey;
use crate::progress::task::{Moved, Progress};
use crate::state::{StepState, TaskState};

impl Progress {
    /// Derives the task's runs anew, as far as they contradict what is done: runs that have never begun, and
    /// those in no queue, become ready; those that have are given back as failed, for it is not known whether they
    /// may be tried again; those that must not be there are removed. `recorded` are the greatest numbers of the
    /// attempts that are recorded. A run that is as it must be is left alone, as is a claim that may hold.
    pub(super) fn repair(
        &mut self,
        graph: &Graph,
        recorded: &[(StepKey, u32)],
        now: Timestamp,
        moved: &mut Moved,
    ) {
        let unknown: Vec<StepKey> =
            self.runs.keys().filter(|key| key.step as usize >= graph.len()).copied().collect();
        unknown.into_iter().for_each(|key| self.revoke(key, moved));
        let is_complete = self.undone(graph.sinks()) == 0;
        if self.state == TaskState::Complete && !is_complete {
            self.state = TaskState::BlockedByFailures;
            moved.state = Some(self.state);
        }
        for step in 0..StepIndex::try_from(graph.len()).unwrap_or(StepIndex::MAX) {
            if self.done.contains(&step) {
                self.runs_of(step).into_iter().for_each(|key| self.revoke(key, moved));
            } else if self.undone(graph.parents(step)) > 0 {
                self.runs_of(step).into_iter().for_each(|key| self.put_back(key, moved));
            } else if self.state.is_over() {
                self.runs_of(step).into_iter().for_each(|key| self.cancel(key, moved));
            } else {
                self.reopen(step, graph, recorded, now, moved);
            }
        }
        // Only upwards: a worker may have made an attempt since they were read.
        for (key, number) in recorded {
            if let Some(run) =
                self.runs.get_mut(key).filter(|run| run.claim.is_none() && run.attempts < *number)
            {
                run.attempts = *number;
                self.changed.insert(*key);
            }
        }
        if self.state != TaskState::Complete && self.undone(graph.sinks()) == 0 {
            self.state = TaskState::Complete;
            moved.state = Some(self.state);
        }
    }

    /// Whether a repair has changed anything that is not written down yet.
    pub(super) fn is_repaired(&self, moved: &Moved) -> bool {
        !self.changed.is_empty() || moved.state.is_some() || !moved.records.is_empty()
    }

    fn runs_of(&self, step: StepIndex) -> Vec<StepKey> {
        let keys = StepKey::from(step)..=StepKey::instance(step, u32::MAX);
        self.runs.range(keys).map(|(key, _)| *key).collect()
    }

    /// Removes a run. Its claim, if there is one, holds no more.
    fn revoke(&mut self, key: StepKey, moved: &mut Moved) {
        moved.revoked.extend(self.runs.get(&key).and_then(|run| run.claim));
        self.remove_run(key);
    }

    /// A run whose step waits for others waits too, if it has an input, and is otherwise not there.
    fn put_back(&mut self, key: StepKey, moved: &mut Moved) {
        match self.runs.get(&key) {
            Some(run) if run.state == StepState::Pending => {}
            Some(_) if key.is_only() => self.revoke(key, moved),
            Some(run) => {
                moved.revoked.extend(run.claim);
                self.let_go(key);
                self.set(key, StepState::Pending);
            }
            None => {}
        }
    }

    /// A run of a task that is over does not move.
    fn cancel(&mut self, key: StepKey, moved: &mut Moved) {
        match self.runs.get(&key) {
            Some(run) if !run.is_moving() => {}
            Some(_) if key.is_only() => self.revoke(key, moved),
            Some(run) => {
                moved.revoked.extend(run.claim);
                self.let_go(key);
                self.set(key, StepState::Cancelled);
            }
            None => {}
        }
    }

    /// Makes ready what is not: all that the step waits for is done.
    fn reopen(
        &mut self,
        step: StepIndex,
        graph: &Graph,
        recorded: &[(StepKey, u32)],
        now: Timestamp,
        moved: &mut Moved,
    ) {
        let number = |key: StepKey| recorded.iter().find(|one| one.0 == key).map_or(0, |(_, number)| *number);
        let runs = self.runs_of(step);
        for key in &runs {
            let Some(run) = self.runs.get_mut(key) else { continue };
            let is_queued = matches!(run.state, StepState::Ready | StepState::WaitingForRetry);
            if run.state == StepState::InProgress && run.claim.is_none() {
                // Nobody makes the attempt that the row counts.
                run.attempts = number(*key);
                self.queue(*key, now);
            } else if is_queued && run.rank.is_none() {
                self.queue(*key, now);
            } else if run.state != StepState::InProgress && run.claim.is_some() {
                self.let_go(*key);
                self.changed.insert(*key);
            } else if !is_queued && run.rank.is_some() {
                let state = run.state;
                self.set(*key, state);
            }
        }
        let waits = |key: &StepKey| self.runs.get(key).is_some_and(|run| run.state == StepState::Pending);
        if (runs.is_empty() || runs.iter().any(waits)) && !self.open(step, now, None, moved) {
            moved.records.push(AttemptRecord::without_runs(step, now));
            self.end_node(step, graph, now, None, moved);
        }
        let only = StepKey::from(step);
        if let Some(run) = self.runs.get_mut(&only).filter(|_| runs.is_empty()) {
            run.attempts = number(only);
            run.attempts_before_reset = run.attempts;
            if run.attempts > 0 {
                self.set(only, StepState::Error);
            }
        }
    }
}
