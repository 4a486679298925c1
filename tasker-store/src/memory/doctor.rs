//! The facts about what is in memory, for `doctor`.

use crate::attempt::AttemptRecord;
use crate::doctor::{Facts, FactsRequest, RunFacts, TaskFacts};
use crate::key::StepKey;
use crate::memory::{Inner, TaskEntry};
use crate::progress::{EndedAttempt, RunProgress, TaskRow};

pub(super) fn facts(inner: &Inner, request: FactsRequest) -> Facts {
    let entries = inner.tasks.values().filter(|entry| entry.head.state == request.state);
    let entries = entries.filter(|entry| request.after.is_none_or(|after| entry.head.id > after));
    let tasks: Vec<TaskFacts> = entries.take(request.limit).map(task).collect();
    let last = tasks.last().map(|task| task.row.task).filter(|_| tasks.len() == request.limit);
    Facts { tasks, workers: inner.workers.facts(), last }
}

fn task(entry: &TaskEntry) -> TaskFacts {
    let TaskEntry { head, progress, .. } = entry;
    let row = TaskRow {
        task: head.id,
        template: head.template,
        state: head.state,
        priority: head.priority,
        creator: None,
        created_at: head.created_at,
        // In memory, runs that are claimed in passing are kept like all others.
        claimed: Vec::new(),
    };
    let mut facts = TaskFacts::new(row, head.settled_at);
    facts.runs = progress.runs().map(|(key, run)| self::run(key, run)).collect();
    facts.attempts = entry.attempts.iter().map(attempt).collect();
    facts
}

fn run(key: StepKey, run: &RunProgress) -> RunFacts {
    RunFacts {
        key,
        state: run.state,
        attempts: run.attempts,
        attempts_before_reset: run.attempts_before_reset,
        rank: run.rank,
        worker: run.claim.map(|claim| claim.worker),
        claimed_at: run.claim.map(|claim| claim.claimed_at),
        is_misfiled: false,
    }
}

fn attempt(record: &AttemptRecord) -> EndedAttempt {
    EndedAttempt {
        key: record.key,
        attempt: record.attempt,
        outcome: record.outcome,
        worker: record.worker,
        finished_at: record.finished_at,
        claimed: Vec::new(),
    }
}
