//! The rules of a task: what its rows must be, given the attempts that are recorded and the graph.

use std::collections::{BTreeMap, BTreeSet};

use tasker_template::StepIndex;

use crate::doctor::claims::claims_in_passing;
use crate::doctor::facts::{RunFacts, TaskFacts, TemplateFacts};
use crate::doctor::finding::{Finding, FindingKind};
use crate::key::StepKey;
use crate::state::{StepState, TaskState};

/// What the rows of a task contradict. Says nothing of a task whose rows cannot all be read.
#[must_use]
pub fn check(facts: &TaskFacts, template: &TemplateFacts) -> Vec<Finding> {
    if !facts.is_whole {
        return Vec::new();
    }
    let mut check = Check::new(facts, template);
    check.nodes();
    check.runs();
    check.attempts();
    check.state();
    check.findings
}

/// What `--repair` does for a task.
pub(super) const DERIVED_ANEW: &str = "`--repair` derives the task's runs and state anew from its attempts: a step \
                                       that has none recorded runs, one that has counts as failed.";

pub(super) struct Check<'a> {
    pub(super) facts: &'a TaskFacts,
    pub(super) template: &'a TemplateFacts,
    /// The rows of each node, by instance.
    pub(super) rows: BTreeMap<StepKey, &'a RunFacts>,
    /// The steps that were claimed in passing, and still are.
    in_passing: BTreeSet<StepKey>,
    /// Runs with an attempt that has completed them.
    done_runs: BTreeSet<StepKey>,
    /// Nodes that are done.
    done: BTreeSet<StepIndex>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(facts: &'a TaskFacts, template: &'a TemplateFacts) -> Self {
        let rows: BTreeMap<StepKey, &RunFacts> = facts.runs.iter().map(|run| (run.key, run)).collect();
        let ended = facts.attempts.iter().filter(|attempt| attempt.outcome.is_done());
        let done_runs: BTreeSet<StepKey> = ended.map(|attempt| attempt.key).collect();
        // A node with several runs has a row for each run that is not done.
        let is_done = |key: &&StepKey| {
            key.is_only() || !rows.keys().any(|other| other.step == key.step && !other.is_only())
        };
        let done = done_runs.iter().filter(is_done).map(|key| key.step).collect();
        let in_passing = claims_in_passing(facts).into_iter().map(|claim| claim.key).collect();
        Self { facts, template, rows, in_passing, done_runs, done, findings: Vec::new() }
    }

    /// Adds a finding about the task, or about one of its runs.
    pub(super) fn find(&mut self, kind: FindingKind, run: Option<StepKey>, what: String, way_out: &str) {
        let step = run.map(|run| self.template.name_of(run));
        let (task, since) = (Some(self.facts.row.task), Some(self.facts.last_recorded_at()));
        self.findings.push(Finding { task, step, since, ..Finding::new(kind, what, way_out) });
    }

    pub(super) fn is_in_template(&self, key: StepKey) -> bool {
        (key.step as usize) < self.template.graph.len()
    }

    pub(super) fn is_done(&self, step: StepIndex) -> bool {
        self.done.contains(&step)
    }

    /// Whether all that the step waits for is done.
    pub(super) fn is_open(&self, step: StepIndex) -> bool {
        self.template.graph.parents(step).iter().all(|parent| self.is_done(*parent))
    }

    fn is_complete(&self) -> bool {
        self.template.graph.sinks().iter().all(|sink| self.is_done(*sink))
    }

    /// Whether something of the task goes on without an operator.
    fn is_moving(&self) -> bool {
        !self.in_passing.is_empty() || self.rows.values().any(|run| run.is_moving())
    }

    /// Each node that is open has its runs.
    fn nodes(&mut self) {
        let count = StepIndex::try_from(self.template.graph.len()).unwrap_or(StepIndex::MAX);
        for step in 0..count {
            self.gaps_between_runs(step);
            let is_claimed = self.in_passing.contains(&step.into());
            let has_row = self.rows.keys().any(|key| key.step == step);
            let goes_on = !self.facts.row.state.is_over();
            if goes_on && !self.is_done(step) && self.is_open(step) && !has_row && !is_claimed {
                let what = "everything that the step waits for is done, and it has no run.".to_owned();
                self.find(FindingKind::RunMissing, Some(step.into()), what, DERIVED_ANEW);
            }
        }
    }

    /// Several runs of a node are numbered from 1, and each has a row until it is done.
    fn gaps_between_runs(&mut self, step: StepIndex) {
        let several = StepKey::instance(step, 1)..=StepKey::instance(step, u32::MAX);
        let rows = self.rows.range(several.clone()).map(|(key, _)| *key);
        let there: BTreeSet<StepKey> = rows.chain(self.done_runs.range(several).copied()).collect();
        let greatest = there.last().map_or(0, |key| key.instance);
        for key in (1..greatest).map(|instance| StepKey::instance(step, instance)) {
            if !there.contains(&key) {
                let what = "the run has neither a row nor a result, and its input is lost.".to_owned();
                let way_out = "Cancel the task, and create it again.";
                self.find(FindingKind::RunMissing, Some(key), what, way_out);
            }
        }
    }

    /// A step of a complete task that is not done by the record.
    fn lost_result(&self) -> Option<StepKey> {
        let count = StepIndex::try_from(self.template.graph.len()).unwrap_or(StepIndex::MAX);
        let lost = (0..count).find(|step| !self.is_done(*step));
        lost.filter(|_| self.facts.row.state == TaskState::Complete).map(StepKey::from)
    }

    /// The task's state follows from its runs.
    fn state(&mut self) {
        let state = self.facts.row.state;
        let follows = match state {
            _ if self.is_complete() => TaskState::Complete,
            TaskState::Cancelled | TaskState::Error => state,
            _ if self.is_moving() => TaskState::InProgress,
            _ => TaskState::BlockedByFailures,
        };
        if (state, follows) == (TaskState::InProgress, TaskState::BlockedByFailures) {
            let has_failed = self.rows.values().any(|run| run.state == StepState::Error);
            let what = "the task is in progress, and none of its steps is ready, runs, or waits for a time.";
            let way_out = if has_failed {
                "`--repair` marks it as blocked by failures, so that it can be retried."
            } else {
                DERIVED_ANEW
            };
            self.find(FindingKind::NothingMoves, None, what.to_owned(), way_out);
        } else if state != follows {
            let what = format!("the task is {state}, and by its steps it is {follows}.");
            self.find(FindingKind::WrongState, None, what, DERIVED_ANEW);
        } else if let Some(lost) = self.lost_result() {
            let what = "the task is complete, and no result of the step is recorded.".to_owned();
            let way_out = "It cannot be repaired, and harms nothing: all that depends on the step is done.";
            self.find(FindingKind::WrongAttempts, Some(lost), what, way_out);
        } else if self.facts.settled_at.is_some() != state.is_settled() {
            let what = match self.facts.settled_at {
                Some(_) => format!("the task is {state}, and yet has a time at which it settled."),
                None => format!("the task is {state}, and no time is recorded at which it settled."),
            };
            let way_out = "It does no harm but to retention and ages; `prune` may leave the task alone.";
            self.find(FindingKind::WrongState, None, what, way_out);
        }
    }
}

#[cfg(test)]
mod tests;
