//! Histories with a fault in each, made by hand.

use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::Graph;

use super::*;
use crate::doctor::{WorkerFacts, claims, suspects};
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::progress::{EndedAttempt, TaskRow};
use crate::state::AttemptOutcome;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn worker() -> WorkerId {
    WorkerId(uuid::Uuid::from_u128(7))
}

/// a -> (b, c) -> d, each with three attempts.
fn template() -> TemplateFacts {
    let graph = Graph::new(vec![vec![], vec![0], vec![0], vec![1, 2]]);
    let steps = ["a", "b", "c", "d"].map(|name| (name.to_owned(), Some(3)));
    TemplateFacts { graph: Arc::new(graph), steps: steps.into() }
}

fn run(step: StepIndex, state: StepState, attempts: u32) -> RunFacts {
    let is_claimed = state == StepState::InProgress;
    RunFacts {
        key: step.into(),
        state,
        attempts,
        attempts_before_reset: 0,
        rank: matches!(state, StepState::Ready | StepState::WaitingForRetry).then_some(5),
        worker: is_claimed.then(worker),
        claimed_at: is_claimed.then(|| at(3)),
        is_misfiled: false,
    }
}

fn attempt(step: StepIndex, number: u32, outcome: AttemptOutcome) -> EndedAttempt {
    let (key, finished_at) = (step.into(), at(2));
    EndedAttempt { key, attempt: number, outcome, worker: worker(), finished_at, claimed: Vec::new() }
}

fn facts(state: TaskState, runs: Vec<RunFacts>, attempts: Vec<EndedAttempt>) -> TaskFacts {
    let row = TaskRow {
        task: TaskId(uuid::Uuid::from_u128(1)),
        template: TemplateId(uuid::Uuid::from_u128(2)),
        state,
        priority: 0,
        creator: None,
        created_at: at(1),
        claimed: Vec::new(),
    };
    let settled_at = state.is_settled().then(|| at(4));
    TaskFacts { runs, attempts, ..TaskFacts::new(row, settled_at) }
}

/// `a` is complete, `b` has failed once and waits, and `c` runs.
fn in_progress() -> TaskFacts {
    use AttemptOutcome::{Complete, Failed};
    let runs = vec![run(1, StepState::WaitingForRetry, 1), run(2, StepState::InProgress, 1)];
    facts(TaskState::InProgress, runs, vec![attempt(0, 1, Complete), attempt(1, 1, Failed)])
}

fn complete() -> TaskFacts {
    let attempts = (0..4).map(|step| attempt(step, 1, AttemptOutcome::Complete));
    facts(TaskState::Complete, Vec::new(), attempts.collect())
}

/// `a` is complete and has given `b` two runs, of which the first is complete.
fn several_runs() -> TaskFacts {
    let several = |instance| StepKey::instance(1, instance);
    let mut history = in_progress();
    history.runs[0] = RunFacts { key: several(2), ..run(1, StepState::Ready, 0) };
    history.attempts[1] = EndedAttempt { key: several(1), ..attempt(1, 1, AttemptOutcome::Complete) };
    history
}

/// The kinds of the findings, each with its step.
#[track_caller]
fn found(facts: &TaskFacts, kinds: &[(FindingKind, Option<&str>)]) {
    let findings = check(facts, &template());
    let told: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.step.as_deref())).collect();
    assert_eq!(told, kinds, "{findings:#?}");
}

#[test]
fn nothing_is_found_in_what_is_right() {
    found(&in_progress(), &[]);
    found(&complete(), &[]);
    found(&several_runs(), &[]);
    let failed = vec![run(0, StepState::Error, 3)];
    let attempts = (1..=3).map(|number| attempt(0, number, AttemptOutcome::Failed)).collect();
    found(&facts(TaskState::BlockedByFailures, failed, attempts), &[]);
    found(&facts(TaskState::Cancelled, Vec::new(), Vec::new()), &[]);
    found(&facts(TaskState::InProgress, vec![run(0, StepState::Ready, 0)], Vec::new()), &[]);
}

#[test]
fn a_claim_in_passing_moves_its_task() {
    let mut history = in_progress();
    history.runs.clear();
    history.attempts[0].claimed = vec![1, 2];
    found(&history, &[(FindingKind::RunMissing, Some("b"))]);
    history.attempts.pop();
    found(&history, &[]);
    assert_eq!(claims(&history).len(), 2);
}

#[test]
fn a_step_without_a_run_is_found() {
    let mut history = in_progress();
    history.runs.remove(0);
    found(&history, &[(FindingKind::RunMissing, Some("b"))]);
    history.runs.clear();
    let both = [(FindingKind::RunMissing, Some("b")), (FindingKind::RunMissing, Some("c"))];
    found(&history, &[both[0], both[1], (FindingKind::NothingMoves, None)]);
}

#[test]
fn a_run_that_is_lost_among_several_is_found() {
    let mut history = several_runs();
    history.attempts[1].key.instance = 2;
    history.runs[0].key.instance = 3;
    found(&history, &[(FindingKind::RunMissing, Some("b#001"))]);
}

#[test]
fn a_run_that_nobody_can_claim_is_found() {
    let mut history = in_progress();
    history.runs[0].rank = None;
    (history.runs[1].worker, history.runs[1].claimed_at) = (None, None);
    found(&history, &[(FindingKind::RunNotQueued, Some("b")), (FindingKind::RunNotQueued, Some("c"))]);
    let mut history = several_runs();
    history.runs[0] = RunFacts { rank: None, state: StepState::Pending, ..history.runs[0] };
    found(&history, &[(FindingKind::RunNotQueued, Some("b#002"))]);
}

#[test]
fn a_run_with_a_row_that_it_must_not_have_is_found() {
    let mut history = in_progress();
    history.runs.insert(0, run(0, StepState::Ready, 1));
    history.runs.push(run(3, StepState::Ready, 0));
    found(&history, &[(FindingKind::RunOutOfPlace, Some("a")), (FindingKind::RunOutOfPlace, Some("d"))]);
    let mut history = in_progress();
    history.runs.push(run(9, StepState::Error, 0));
    history.runs[0].worker = Some(worker());
    history.runs[1].rank = Some(5);
    let places = [Some("b"), Some("c"), Some("#9")].map(|step| (FindingKind::RunOutOfPlace, step));
    found(&history, &places);
    let mut history = in_progress();
    history.runs[0].is_misfiled = true;
    found(&history, &[(FindingKind::RunOutOfPlace, Some("b"))]);
    let moving = vec![run(0, StepState::Ready, 0)];
    found(&facts(TaskState::Cancelled, moving, Vec::new()), &[(FindingKind::RunOutOfPlace, Some("a"))]);
}

#[test]
fn a_state_that_does_not_follow_is_found() {
    let mut history = in_progress();
    (history.row.state, history.settled_at) = (TaskState::BlockedByFailures, Some(at(4)));
    found(&history, &[(FindingKind::WrongState, None)]);
    let mut history = complete();
    (history.row.state, history.settled_at) = (TaskState::InProgress, None);
    found(&history, &[(FindingKind::WrongState, None)]);
    let mut history = complete();
    history.attempts.pop();
    found(&history, &[(FindingKind::WrongState, None)]);
    let mut history = complete();
    history.settled_at = None;
    found(&history, &[(FindingKind::WrongState, None)]);
    // It has failed for good, and should be blocked.
    let runs = vec![run(0, StepState::Error, 1)];
    let history = facts(TaskState::InProgress, runs, vec![attempt(0, 1, AttemptOutcome::Failed)]);
    found(&history, &[(FindingKind::NothingMoves, None)]);
}

#[test]
fn attempts_that_do_not_add_up_are_found() {
    let mut history = in_progress();
    history.attempts[1].attempt = 2;
    let gap = (FindingKind::WrongAttempts, Some("b"));
    // The gap, and the row that counts one.
    found(&history, &[gap, gap]);
    let mut history = in_progress();
    history.runs[1].attempts = 3;
    found(&history, &[(FindingKind::WrongAttempts, Some("c"))]);
    let mut history = in_progress();
    history.attempts.push(attempt(0, 2, AttemptOutcome::Complete));
    found(&history, &[(FindingKind::WrongAttempts, Some("a"))]);
    history.attempts[2].key = 9.into();
    history.attempts[2].attempt = 1;
    found(&history, &[(FindingKind::WrongAttempts, Some("#9"))]);
}

#[test]
fn an_attempt_too_many_is_found() {
    let mut history = in_progress();
    history.attempts.extend((2..=4).map(|number| attempt(1, number, AttemptOutcome::Failed)));
    history.runs[0].attempts = 4;
    found(&history, &[(FindingKind::TooManyAttempts, Some("b"))]);
    history.runs[0].attempts_before_reset = 1;
    found(&history, &[]);
}

#[test]
fn a_task_that_cannot_be_read_is_not_judged() {
    let mut history = in_progress();
    history.runs.clear();
    history.is_broken(None, "the state of a step is `redy`".to_owned());
    found(&history, &[]);
}

#[test]
fn claims_that_no_living_worker_owns_are_suspect() {
    let owner = |alive| WorkerFacts { id: worker(), alive, last_beat: None };
    let suspected = |workers: &[WorkerFacts]| suspects(claims(&in_progress()), workers);
    assert!(suspected(&[owner(true)]).is_empty());
    let dead = suspected(&[owner(false)])[0].finding("c".to_owned(), true);
    assert_eq!((dead.kind, dead.worker), (FindingKind::OrphanedClaim, Some(worker())));
    let unknown = suspected(&[])[0].finding("c".to_owned(), true);
    assert_eq!((unknown.kind, unknown.since), (FindingKind::UnknownWorker, Some(at(3))));
}
