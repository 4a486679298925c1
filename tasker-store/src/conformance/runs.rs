//! Steps that have several runs.

use std::sync::Arc;

use crate::action::{Acted, OperatorAction};
use crate::attempt::Finished;
use crate::claim::Claim;
use crate::conformance::operators::by_hand;
use crate::conformance::{Fixture, Shape, at, failed};
use crate::id::TaskId;
use crate::key::StepKey;
use crate::state::{StepState, TaskState};
use crate::store::Store;

/// analyze -> work, which is given several runs -> gather
fn batch() -> Shape {
    Shape::new(vec![vec![], vec![0], vec![1]])
}

fn keys(claims: &[Claim]) -> Vec<StepKey> {
    claims.iter().map(|claim| claim.key).collect()
}

/// The runs from `first` to `last` of step 1.
fn works(first: u32, last: u32) -> Vec<StepKey> {
    (first..=last).map(|instance| StepKey::instance(1, instance)).collect()
}

/// A task whose step 1 has so many runs, of which `limit` are claimed.
async fn begun(fixture: &Fixture, shape: &Shape, runs: u32, limit: usize) -> (TaskId, Vec<Claim>) {
    let (id, claims) = fixture.create(shape, 1).await;
    let finished = fixture.finish(claims[0], shape.spawn(1, runs), limit, 1).await;
    (id, Fixture::recorded(finished).0)
}

pub async fn a_step_with_several_runs_is_done_with_the_last_of_them(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 3, 2).await;
    assert_eq!(keys(&claims), works(1, 2));
    let states: Vec<_> = fixture.task(id).await.steps.iter().map(|step| (step.key, step.state)).collect();
    use StepState::{InProgress, Ready};
    let expected: Vec<_> = works(1, 3).into_iter().zip([InProgress, InProgress, Ready]).collect();
    assert_eq!(states, expected);
    let rest = fixture.claim(9, 1).await.claims;
    assert_eq!(keys(&rest), works(3, 3));
    // In whichever order they end, what waits for them gets the results in the order of the runs.
    for claim in [rest[0], claims[0]] {
        let (next, settled) = fixture.complete(&shape, claim, 9, 2).await;
        assert!(next.is_empty() && settled.is_none());
    }
    let (gather, _) = fixture.complete(&shape, claims[1], 9, 3).await;
    assert_eq!(keys(&gather), [StepKey::from(2)]);
    let inputs = fixture.store.inputs(id, 2.into(), &[0, 1]).await.unwrap().unwrap();
    let results: Vec<_> = inputs.results.iter().map(|result| result.as_ref().unwrap().get()).collect();
    assert_eq!(results, ["3", r#"["1#001","1#002","1#003"]"#]);
    let (_, settled) = fixture.complete(&shape, gather[0], 9, 4).await;
    assert_eq!(settled, Some(TaskState::Complete));
    let record = fixture.task(id).await;
    assert!(record.steps.is_empty());
    let attempted: Vec<_> = record.attempts.iter().map(|one| (one.key, one.attempt)).collect();
    let runs = works(1, 3).into_iter().map(|key| (key, 1));
    let expected: Vec<_> = [(0.into(), 1)].into_iter().chain(runs).chain([(2.into(), 1)]).collect();
    assert_eq!(attempted, expected);
}

pub async fn each_of_several_runs_has_its_own_input(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 2, 1).await;
    let input = async |key: StepKey| {
        let inputs = fixture.store.inputs(id, key, &[0]).await.unwrap().unwrap();
        inputs.input.map(|input| input.get().to_owned())
    };
    assert_eq!(input(StepKey::instance(1, 1)).await.as_deref(), Some("1"));
    assert_eq!(input(StepKey::instance(1, 2)).await.as_deref(), Some("2"));
    assert_eq!(input(0.into()).await, None);
    // It stays with the run, whatever becomes of its attempts.
    fixture.store.release(claims.clone(), None, at(2)).await.unwrap();
    let again = fixture.claim(1, 2).await.claims[0];
    fixture.finish(again, failed(Some(at(5))), 0, 3).await;
    let again = fixture.claim(9, 5).await.claims;
    assert_eq!(again.len(), 2);
    assert_eq!(input(again[0].key).await, Some(again[0].key.instance.to_string()));
    assert_eq!(input(again[1].key).await, Some(again[1].key.instance.to_string()));
}

pub async fn several_runs_wait_for_all_that_their_step_waits_for(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    // Step 2 waits for both roots, and the first gives it its runs.
    let shape = Shape::new(vec![vec![], vec![], vec![0, 1]]);
    for runs in [2, 0] {
        let (id, claims) = fixture.create(&shape, 2).await;
        let (none, _) = Fixture::recorded(fixture.finish(claims[0], shape.spawn(2, runs), 9, 1).await);
        assert!(none.is_empty());
        let states: Vec<_> = fixture.task(id).await.steps.iter().map(|step| step.state).collect();
        assert_eq!(states.iter().filter(|state| **state == StepState::Pending).count(), runs.max(1) as usize);
        assert!(fixture.claim(9, 1).await.claims.is_empty());
        let (opened, settled) = fixture.complete(&shape, claims[1], 9, 2).await;
        assert_eq!(opened.len(), runs as usize);
        assert_eq!(settled, (runs == 0).then_some(TaskState::Complete));
        for claim in opened {
            fixture.complete(&shape, claim, 0, 3).await;
        }
        assert_eq!(fixture.task(id).await.head.state, TaskState::Complete);
    }
}

pub async fn a_step_without_runs_is_done_at_once(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, next) = begun(&fixture, &shape, 0, 9).await;
    assert_eq!(keys(&next), [StepKey::from(2)]);
    let inputs = fixture.store.inputs(id, 2.into(), &[1]).await.unwrap().unwrap();
    assert_eq!(inputs.results[0].as_ref().unwrap().get(), "[]");
    assert_eq!(fixture.complete(&shape, next[0], 0, 2).await.1, Some(TaskState::Complete));
    let empty = &fixture.task(id).await.attempts[1];
    assert_eq!((empty.key, empty.attempt), (1.into(), 0));
}

pub async fn a_claim_of_one_run_is_none_of_another(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 3, 2).await;
    for key in [StepKey::from(1), StepKey::instance(1, 2), StepKey::instance(1, 4)] {
        let stale = Claim { key, claimed_at: at(7), ..claims[0] };
        assert!(matches!(fixture.finish(stale, shape.complete("9"), 9, 2).await, Finished::Stale));
        assert_eq!(fixture.store.revoked(vec![stale, claims[0]]).await.unwrap(), [stale]);
    }
    fixture.complete(&shape, claims[0], 0, 3).await;
    assert!(matches!(fixture.finish(claims[0], shape.complete("9"), 9, 4).await, Finished::Stale));
    assert_eq!(fixture.task(id).await.attempts.len(), 2);
    fixture.store.worker_died(fixture.worker);
    assert_eq!(fixture.store.orphaned().await.unwrap(), [claims[1]]);
}

pub async fn one_of_several_runs_can_fail_and_be_retried(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 2, 2).await;
    fixture.finish(claims[1], failed(None), 0, 2).await;
    let (_, settled) = fixture.complete(&shape, claims[0], 9, 3).await;
    assert_eq!(settled, Some(TaskState::BlockedByFailures));
    let refused = OperatorAction::Retry { runs: vec![(claims[0].key, 1)] };
    assert!(matches!(fixture.act(id, refused, 4).await, Acted::Refused(_)));
    let retry = OperatorAction::Retry { runs: vec![(claims[1].key, 1)] };
    assert_eq!(fixture.done(id, retry, 4).await.0, TaskState::InProgress);
    let again = fixture.claim(9, 4).await.claims;
    assert_eq!((keys(&again), again[0].attempt, again[0].attempts_before_reset), (works(2, 2), 2, 1));
    assert_eq!(keys(&fixture.complete(&shape, again[0], 9, 5).await.0), [StepKey::from(2)]);
    let actions = fixture.task(id).await.actions;
    assert_eq!(actions[0].runs, works(2, 2));
}

pub async fn one_of_several_runs_can_be_ended_by_hand(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 3, 2).await;
    let (_, revoked) = fixture.done(id, by_hand(&shape, claims[0].key, Some("8")), 2).await;
    assert_eq!(revoked, [claims[0]]);
    fixture.done(id, by_hand(&shape, StepKey::instance(1, 3), None), 3).await;
    let twice = by_hand(&shape, claims[0].key, Some("9"));
    assert!(matches!(fixture.act(id, twice, 4).await, Acted::Refused(_)));
    let (gather, _) = fixture.complete(&shape, claims[1], 9, 5).await;
    assert_eq!(keys(&gather), [StepKey::from(2)]);
    let inputs = fixture.store.inputs(id, 2.into(), &[1]).await.unwrap().unwrap();
    assert_eq!(inputs.results[0].as_ref().unwrap().get(), r#"[8,"1#002"]"#);
}

pub async fn several_runs_outlive_the_end_of_their_task(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, claims) = begun(&fixture, &shape, 3, 2).await;
    fixture.complete(&shape, claims[0], 0, 2).await;
    let (_, revoked) = fixture.done(id, OperatorAction::Cancel, 3).await;
    assert_eq!(revoked, [claims[1]]);
    assert!(fixture.claim(9, 3).await.claims.is_empty());
    let states: Vec<_> = fixture.task(id).await.steps.iter().map(|step| (step.key, step.state)).collect();
    let cancelled = works(2, 3).into_iter().map(|key| (key, StepState::Cancelled));
    assert_eq!(states, cancelled.collect::<Vec<_>>());
    // One that is done, the step as if it had one run, and one that it does not have.
    for none in [claims[0].key, 1.into(), StepKey::instance(1, 4)] {
        let refused = OperatorAction::Retry { runs: vec![(none, 1)] };
        assert!(matches!(fixture.act(id, refused, 4).await, Acted::Refused(_)), "{none}");
    }
    let nothing = OperatorAction::Retry { runs: vec![] };
    assert!(matches!(fixture.act(id, nothing, 4).await, Acted::Refused(_)));
    assert_eq!(fixture.task(id).await.head.state, TaskState::Cancelled);
    let retry = OperatorAction::Retry { runs: works(2, 3).into_iter().map(|key| (key, 1)).collect() };
    fixture.done(id, retry, 4).await;
    let again = fixture.claim(9, 4).await.claims;
    assert_eq!(keys(&again), works(2, 3));
    let inputs = fixture.store.inputs(id, again[1].key, &[]).await.unwrap().unwrap();
    assert_eq!(inputs.input.unwrap().get(), "3");
    fixture.complete(&shape, again[0], 0, 5).await;
    assert_eq!(keys(&fixture.complete(&shape, again[1], 9, 6).await.0), [StepKey::from(2)]);
}

pub async fn cancelled_runs_can_be_retried_one_by_one(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let shape = batch();
    let (id, _) = begun(&fixture, &shape, 2, 2).await;
    fixture.done(id, OperatorAction::Cancel, 2).await;
    for (instance, second) in [(1, 3), (2, 5)] {
        let retry = OperatorAction::Retry { runs: vec![(StepKey::instance(1, instance), 1)] };
        assert_eq!(fixture.done(id, retry, second).await.0, TaskState::InProgress);
        let again = fixture.claim(9, second).await.claims;
        assert_eq!(keys(&again), works(instance, instance));
        let (next, settled) = fixture.complete(&shape, again[0], 9, second + 1).await;
        match instance {
            1 => assert_eq!((next.len(), settled), (0, Some(TaskState::BlockedByFailures))),
            _ => assert_eq!(keys(&next), [StepKey::from(2)]),
        }
    }
}
