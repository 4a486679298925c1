//! Rebuilds the progress of a task from its rows.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::claim::Claim;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::key::StepKey;
use crate::progress::run::RunProgress;
use crate::progress::task::Progress;
use crate::state::{AttemptOutcome, StepState, TaskState};

/// The row of the task itself.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// The task.
    pub task: TaskId,
    /// The snapshot that it runs by.
    pub template: TemplateId,
    /// Its state.
    pub state: TaskState,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// The worker that claimed steps when it created the task.
    pub creator: Option<WorkerId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The steps that were claimed when the task was created.
    pub claimed: Vec<StepIndex>,
}

/// An attempt that has ended, as far as it is needed here.
#[derive(Clone, Debug)]
pub struct EndedAttempt {
    /// The run.
    pub key: StepKey,
    /// The number of the attempt; 0 where no worker made one.
    pub attempt: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The worker that made it.
    pub worker: WorkerId,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The steps that were claimed in passing when it was recorded.
    pub claimed: Vec<StepIndex>,
}

impl Progress {
    /// The progress of a task with these rows: of the task itself, of its runs, and of its attempts.
    #[must_use]
    pub fn restored(
        row: &TaskRow,
        runs: impl IntoIterator<Item = (StepKey, RunProgress)>,
        attempts: &[EndedAttempt],
    ) -> Self {
        let mut progress = Self::new(row.task, row.template, row.priority);
        progress.state = row.state;
        runs.into_iter().for_each(|(key, run)| progress.restore_run(key, run));
        for attempt in attempts.iter().filter(|attempt| attempt.outcome.is_done()) {
            if attempt.outcome == AttemptOutcome::ResolvedManually {
                progress.resolved.insert(attempt.key);
            }
            if attempt.key.is_only() {
                progress.done.insert(attempt.key.step);
            } else {
                progress.done_runs.insert(attempt.key);
            }
        }
        // A node with several runs has a row for each run that is not done: without rows, the node is done.
        for key in &progress.done_runs {
            if !progress.nodes.contains_key(&key.step) {
                progress.done.insert(key.step);
            }
        }
        // A task that is over has no claims.
        if row.state == TaskState::InProgress {
            progress.restore_claims(row, attempts);
        }
        progress
    }

    fn restore_run(&mut self, key: StepKey, mut run: RunProgress) {
        run.is_kept = !key.is_only() || run.state == StepState::Pending;
        if !key.is_only() {
            self.nodes.entry(key.step).or_default().runs_left += 1;
        }
        self.moving += usize::from(run.is_moving());
        self.claimed += usize::from(run.claim.is_some());
        self.runs.insert(key, run);
    }

    /// Restores the claims that were made in passing. A claim holds while its step has neither an attempt nor
    /// a row.
    fn restore_claims(&mut self, row: &TaskRow, attempts: &[EndedAttempt]) {
        let attempted: BTreeSet<StepKey> = attempts.iter().map(|attempt| attempt.key).collect();
        let creation = row.creator.map(|worker| (worker, row.created_at, &row.claimed));
        let later = attempts.iter().map(|one| (one.worker, one.finished_at, &one.claimed));
        for (worker, claimed_at, steps) in creation.into_iter().chain(later) {
            for key in steps.iter().map(|step| StepKey::from(*step)) {
                if attempted.contains(&key) || self.runs.contains_key(&key) {
                    continue;
                }
                let (task, template) = (self.task, self.template);
                let claim =
                    Claim { task, template, key, attempt: 1, attempts_before_reset: 0, worker, claimed_at };
                let new = RunProgress::new(StepState::InProgress);
                let run = RunProgress { attempts: 1, claim: Some(claim), in_passing: true, ..new };
                self.restore_run(key, run);
            }
        }
    }
}
