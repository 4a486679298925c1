//! What operators do to tasks.

use std::sync::Arc;

use crate::action::{Acted, ActionRequest, OperatorAction};
use crate::attempt::{Finished, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest};
use crate::conformance::{Fixture, Shape, at, failed, steps};
use crate::id::TaskId;
use crate::json::Json;
use crate::key::StepKey;
use crate::state::{AttemptOutcome, DeadLetterReason, DeadLetterStatus, TaskState};
use crate::store::Store;
use crate::task::TaskFilter;
use crate::waiting::WaitingFor;

const GIVE_UP: OperatorAction = OperatorAction::GiveUp { reason: DeadLetterReason::ManualDlq };

impl Fixture {
    pub(super) async fn act(&self, task: TaskId, action: OperatorAction, second: i64) -> Acted {
        let (by, reason) = ("ada".to_owned(), "a test".to_owned());
        self.store.act(ActionRequest { task, action, by, reason, at: at(second) }).await.unwrap()
    }

    pub(super) async fn done(
        &self,
        task: TaskId,
        action: OperatorAction,
        second: i64,
    ) -> (TaskState, Vec<Claim>) {
        match self.act(task, action, second).await {
            Acted::Done { state, revoked } => (state, revoked),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn by_hand(shape: &Shape, run: impl Into<StepKey>, result: Option<&str>) -> OperatorAction {
    let (run, graph) = (run.into(), Arc::clone(shape.graph()));
    match result.map(|result| Json::from_text(result.to_owned()).unwrap()) {
        Some(result) => OperatorAction::Complete { run, result, graph },
        None => OperatorAction::Resolve { run, graph },
    }
}

fn refused(acted: &Acted) -> (Option<u32>, &'static str) {
    match acted {
        Acted::Refused(refusal) => (refusal.run.map(|run| run.step), refusal.state),
        other => panic!("{other:?}"),
    }
}

pub async fn a_resolved_step_can_be_given_its_result(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0], vec![1]]);
    let give = |readers: &[u32]| {
        let result = Json::from_text("7".to_owned()).unwrap();
        OperatorAction::GiveResult { run: 0.into(), result, readers: readers.to_vec() }
    };
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(refused(&fixture.act(id, give(&[1, 2]), 1).await), (Some(0), "in_progress"));
    fixture.finish(claims[0], failed(None), 0, 1).await;
    fixture.done(id, by_hand(&graph, 0, None), 2).await;
    let claims = fixture.claim(1, 2).await.claims;
    assert_eq!(refused(&fixture.act(id, give(&[1, 2]), 3).await), (Some(1), "in_progress"));
    fixture.finish(claims[0], failed(None), 0, 3).await;

    // What needed the result has failed without it: it can be given, once, and tried again.
    assert_eq!(fixture.done(id, give(&[1, 2]), 4).await.0, TaskState::BlockedByFailures);
    assert_eq!(refused(&fixture.act(id, give(&[1, 2]), 5).await), (Some(0), "complete"));
    let record = fixture.task(id).await;
    let given: Vec<_> = record.attempts.iter().filter(|one| one.attempt == 0).collect();
    assert_eq!((given.len(), given[0].outcome), (1, AttemptOutcome::CompletedManually));
    assert_eq!(
        record.actions.iter().map(|one| one.action.as_str()).collect::<Vec<_>>(),
        ["resolve", "complete"]
    );
    let inputs = fixture.store.inputs(id, 1.into(), &[0]).await.unwrap().unwrap();
    assert_eq!(inputs.results[0].as_ref().map(Json::get), Some("7"));
    fixture.done(id, OperatorAction::Retry { runs: vec![(1.into(), 1)] }, 6).await;
    let claims = fixture.claim(1, 6).await.claims;
    fixture.complete(&graph, claims[0], 0, 7).await;

    // Nothing is given to a step whose reader is complete.
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(None), 0, 1).await;
    fixture.done(id, by_hand(&graph, 0, None), 2).await;
    let claims = fixture.claim(9, 9).await.claims;
    let claim = claims.into_iter().find(|claim| claim.task == id).unwrap();
    fixture.complete(&graph, claim, 0, 9).await;
    assert_eq!(refused(&fixture.act(id, give(&[1, 2]), 10).await), (Some(1), "complete"));
    // Unless it does not read it.
    fixture.done(id, give(&[2]), 11).await;
}

pub async fn an_amended_context_is_what_later_attempts_read(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let amend = |text: &str| OperatorAction::Amend { context: Json::from_text(text.to_owned()).unwrap() };
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(refused(&fixture.act(id, amend(r#"{"k":2}"#), 1).await), (Some(0), "in_progress"));
    assert_eq!(fixture.task(id).await.head.context.get(), r#"{"k":1}"#);
    fixture.finish(claims[0], failed(None), 0, 1).await;
    assert_eq!(fixture.done(id, amend(r#"{"k":2}"#), 2).await, (TaskState::BlockedByFailures, vec![]));
    let record = fixture.task(id).await;
    assert_eq!((record.head.context.get(), record.head.settled_at), (r#"{"k":2}"#, Some(at(1))));
    let action = &record.actions[0];
    assert_eq!((action.action.as_str(), action.by.as_str(), action.runs.len()), ("amend", "ada", 0));
    let inputs = fixture.store.inputs(id, 0.into(), &[]).await.unwrap().unwrap();
    assert_eq!(inputs.context.get(), r#"{"k":2}"#);
    fixture.done(id, OperatorAction::Retry { runs: vec![(0.into(), 1)] }, 3).await;
    fixture.done(id, amend(r#"{"k":3}"#), 4).await;
    fixture.done(id, OperatorAction::Cancel, 5).await;
    // Before it is reopened, its context can be corrected.
    assert_eq!(fixture.done(id, amend(r#"{"k":4}"#), 6).await.0, TaskState::Cancelled);
    assert_eq!(fixture.task(id).await.head.context.get(), r#"{"k":4}"#);
    let (id, claims) = fixture.create(&Shape::new(vec![vec![]]), 1).await;
    fixture.finish(claims[0], Shape::new(vec![vec![]]).complete("1"), 0, 7).await;
    assert_eq!(refused(&fixture.act(id, amend(r#"{"k":5}"#), 8).await), (None, "complete"));
}

pub async fn steps_that_are_left_to_others_are_told(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![], vec![0, 1], vec![0]]);
    let (_, claims) = fixture.create(&graph, 2).await;
    let excluded = [2, 3].map(|step| (claims[0].template, step)).into_iter().collect();
    let request = ClaimRequest { excluded: Arc::new(excluded), ..fixture.request(9, 1) };
    let mut left = Vec::new();
    for claim in claims {
        let (started_at, finished_at, ending) = (claim.claimed_at, at(1), graph.complete("1"));
        let attempt = FinishedAttempt { claim, started_at, finished_at, ending };
        match fixture.store.finish(attempt, request.clone()).await.unwrap() {
            Finished::Recorded { claimed, .. } => left.push(claimed.left),
            Finished::Stale => panic!("it holds"),
        }
    }
    assert_eq!(left, [vec![3], vec![2]]);
}

pub async fn a_cancelled_task_loses_its_claims(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert!(fixture.store.revoked(claims.clone()).await.unwrap().is_empty());
    assert_eq!(fixture.done(id, OperatorAction::Cancel, 3).await, (TaskState::Cancelled, claims.clone()));
    assert_eq!(fixture.store.revoked(claims.clone()).await.unwrap(), claims);
    assert!(matches!(fixture.finish(claims[0], graph.complete("0"), 9, 4).await, Finished::Stale));
    assert!(fixture.claim(9, 9).await.claims.is_empty());
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::Cancelled, Some(at(3))));
    assert!(record.steps.is_empty());
    let ended = &record.attempts[0];
    assert_eq!((ended.attempt, ended.outcome), (1, AttemptOutcome::Cancelled));
    let action = &record.actions[0];
    assert_eq!((action.action.as_str(), action.by.as_str(), action.at), ("cancel", "ada", at(3)));
}

pub async fn a_retried_step_has_a_fresh_budget(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(None), 1, 1).await;
    let (state, revoked) = fixture.done(id, OperatorAction::Retry { runs: vec![(0.into(), 1)] }, 2).await;
    assert_eq!((state, revoked.len()), (TaskState::InProgress, 0));
    assert_eq!(fixture.task(id).await.head.settled_at, None);
    let claims = fixture.claim(1, 2).await.claims;
    assert_eq!((claims[0].attempt, claims[0].attempts_before_reset), (2, 1));
    let (next, _) = fixture.complete(&graph, claims[0], 1, 3).await;
    let (_, settled) = fixture.complete(&graph, next[0], 1, 4).await;
    assert_eq!(settled, Some(TaskState::Complete));
}

pub async fn a_task_that_was_given_up_can_be_retried(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(fixture.done(id, GIVE_UP, 1).await.0, TaskState::Error);
    fixture.done(id, OperatorAction::Retry { runs: vec![(0.into(), 1)] }, 2).await;
    let again = fixture.claim(1, 2).await.claims;
    assert_eq!((again[0].attempt, again[0].attempts_before_reset), (2, 1));
    assert!(matches!(fixture.finish(claims[0], graph.complete("9"), 1, 3).await, Finished::Stale));
    let (next, _) = fixture.complete(&graph, again[0], 1, 3).await;
    assert_eq!(fixture.complete(&graph, next[0], 1, 4).await.1, Some(TaskState::Complete));
}

pub async fn what_is_given_up_says_where_it_was(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let retry_at = Some(at(3_600));
    use TaskState::{BlockedByFailures, InProgress};
    for (limit, ending, state, waiting_for) in [
        (1, None, InProgress, Some(WaitingFor::StepsInProcess)),
        (1, Some(failed(retry_at)), InProgress, Some(WaitingFor::Retry)),
        (0, None, InProgress, Some(WaitingFor::Worker)),
        (1, Some(failed(None)), BlockedByFailures, None),
    ] {
        let (id, claims) = fixture.create(&graph, limit).await;
        if let Some(ending) = ending {
            fixture.finish(claims[0], ending, 0, 1).await;
        }
        let reason = DeadLetterReason::StalenessTimeout;
        fixture.done(id, OperatorAction::GiveUp { reason }, 2).await;
        let details = fixture.task(id).await.actions[0].details;
        assert_eq!((details.original_state, details.waiting_for), (Some(state), waiting_for));
        assert_eq!((details.dead_letter, details.status), (Some(reason), None));
    }
}

pub async fn an_investigation_changes_nothing_but_is_recorded(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let investigate = |status| OperatorAction::Investigate { status };
    let pending = || investigate(DeadLetterStatus::Pending);
    assert!(matches!(fixture.act(id, pending(), 1).await, Acted::Refused(_)));
    fixture.done(id, GIVE_UP, 2).await;
    let before = fixture.task(id).await;
    let (state, revoked) = fixture.done(id, investigate(DeadLetterStatus::PermanentlyFailed), 3).await;
    assert_eq!((state, revoked), (TaskState::Error, vec![]));
    let after = fixture.task(id).await;
    assert_eq!(after.head.settled_at, Some(at(2)));
    assert_eq!(format!("{:?}", before.attempts), format!("{:?}", after.attempts));
    let noted = &after.actions[1];
    assert_eq!((noted.action.as_str(), noted.by.as_str(), noted.at), ("investigate", "ada", at(3)));
    assert_eq!(noted.details.status, Some(DeadLetterStatus::PermanentlyFailed));
    // It is given up as before: it can be reopened, and then there is nothing to investigate.
    fixture.done(id, OperatorAction::Retry { runs: vec![(0.into(), 1)] }, 4).await;
    assert!(matches!(fixture.act(id, pending(), 5).await, Acted::Refused(_)));
    assert!(matches!(fixture.finish(claims[0], graph.complete("0"), 0, 6).await, Finished::Stale));
    // What was given up once is found whatever has become of it.
    let (other, _) = fixture.create(&graph, 0).await;
    let given_up = TaskFilter { given_up: true, ..TaskFilter::default() };
    let list = fixture.store.tasks(given_up.clone()).await.unwrap();
    assert_eq!(list.iter().map(|head| head.id).collect::<Vec<_>>(), [id]);
    fixture.done(other, GIVE_UP, 7).await;
    let states = vec![TaskState::Error];
    let list = fixture.store.tasks(TaskFilter { states, ..given_up }).await.unwrap();
    assert_eq!(list.iter().map(|head| head.id).collect::<Vec<_>>(), [other]);
}

pub async fn a_step_can_be_run_before_its_backoff_ends(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (id, claims) = fixture.create(&Shape::diamond(), 1).await;
    fixture.finish(claims[0], failed(Some(at(3_600))), 1, 1).await;
    fixture.done(id, OperatorAction::RetryNow { run: 0.into() }, 2).await;
    let claimed = fixture.claim(1, 2).await;
    assert_eq!((claimed.claims[0].attempt, claimed.claims[0].attempts_before_reset), (2, 0));
    assert_eq!(claimed.next_due, None);
}

pub async fn a_step_completed_by_hand_counts_as_complete(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![], vec![0, 1]]);
    let (id, claims) = fixture.create(&graph, 2).await;
    fixture.finish(claims[0], failed(None), 0, 1).await;
    fixture.done(id, by_hand(&graph, 0, Some("7")), 2).await;
    // The other is running: its claim is revoked, and recorded as such.
    let (state, revoked) = fixture.done(id, by_hand(&graph, 1, Some("8")), 3).await;
    assert_eq!((state, revoked), (TaskState::InProgress, vec![claims[1]]));
    let inputs = fixture.store.inputs(id, 0.into(), &[0, 1]).await.unwrap().unwrap();
    let results: Vec<_> = inputs.results.iter().map(|result| result.as_ref().unwrap().get()).collect();
    assert_eq!(results, ["7", "8"]);
    let join = fixture.claim(9, 3).await.claims;
    assert_eq!(steps(&join), [2]);
    assert_eq!(fixture.complete(&graph, join[0], 1, 4).await.1, Some(TaskState::Complete));
    let outcomes: Vec<_> =
        fixture.task(id).await.attempts.iter().map(|one| (one.key.step, one.attempt, one.outcome)).collect();
    use AttemptOutcome::{Cancelled, Complete, CompletedManually, Failed};
    let expected = [
        (0, 0, CompletedManually),
        (0, 1, Failed),
        (1, 0, CompletedManually),
        (1, 1, Cancelled),
        (2, 1, Complete),
    ];
    assert_eq!(outcomes, expected);
}

pub async fn a_resolved_step_lets_the_others_go_on(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(None), 0, 1).await;
    assert_eq!(fixture.done(id, by_hand(&graph, 0, None), 2).await.0, TaskState::InProgress);
    let next = fixture.claim(1, 2).await.claims;
    assert_eq!(steps(&next), [1]);
    assert_eq!(fixture.store.inputs(id, 0.into(), &[0]).await.unwrap().unwrap().results, [None]);
    // The last step of all can be ended by hand as well.
    let (state, _) = fixture.done(id, by_hand(&graph, 1, None), 3).await;
    assert_eq!(state, TaskState::Complete);
}

pub async fn what_cannot_be_done_changes_nothing(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let refused = |acted: &Acted| matches!(acted, Acted::Refused(_));
    let before = format!("{:?}", fixture.task(id).await);
    for action in [
        OperatorAction::Retry { runs: vec![(0.into(), 0)] },
        OperatorAction::RetryNow { run: 0.into() },
        by_hand(&graph, 1, Some("1")),
        by_hand(&graph, 1, None),
    ] {
        assert!(refused(&fixture.act(id, action.clone(), 1).await), "{action:?}");
    }
    assert_eq!(before, format!("{:?}", fixture.task(id).await));
    assert_eq!(fixture.act(TaskId::random(), OperatorAction::Cancel, 1).await, Acted::NoTask);
    let (next, _) = fixture.complete(&graph, claims[0], 1, 2).await;
    fixture.complete(&graph, next[0], 1, 3).await;
    for action in [OperatorAction::Cancel, GIVE_UP, OperatorAction::Retry { runs: vec![(1.into(), 1)] }] {
        assert!(refused(&fixture.act(id, action, 4).await));
    }
    assert!(fixture.task(id).await.actions.is_empty());
}
