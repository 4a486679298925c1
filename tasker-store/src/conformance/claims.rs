//! Who may run what, and when.

use std::sync::Arc;

use crate::attempt::{Finished, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest};
use crate::conformance::{Fixture, Shape, at, failed, new, new_task, steps, template};
use crate::id::{TemplateId, WorkerId};
use crate::state::StepState;
use crate::store::Store;
use crate::task::NewTaskRecord;
use crate::template::TemplateRecord;
use crate::worker::WorkerInfo;

pub async fn what_is_claimed_is_not_claimed_again(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    fixture.create(&Shape::new(vec![vec![], vec![], vec![]]), 0).await;
    let first = fixture.claim(2, 0).await;
    assert_eq!((first.claims.len(), first.more), (2, true));
    let second = fixture.claim(2, 0).await;
    assert_eq!((second.claims.len(), second.more), (1, false));
    assert!(fixture.claim(2, 0).await.claims.is_empty());
}

pub async fn claims_come_in_order_of_their_due_time(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let mut ids = Vec::new();
    for second in [30, 10, 20] {
        let task = NewTaskRecord { run_at: Some(at(second)), ..new_task(&graph, 0) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, 0)).await.unwrap();
    }
    let claimed = fixture.claim(5, 20).await;
    let tasks: Vec<_> = claimed.claims.iter().map(|claim| claim.task).collect();
    assert_eq!(tasks, [ids[1], ids[2]]);
    assert_eq!(claimed.next_due, Some(at(30)));
}

pub async fn what_is_ready_waits_for_no_clock(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (_, none) = fixture.create(&Shape::diamond(), 0).await;
    assert!(none.is_empty());
    // The clock has been set back.
    assert_eq!(steps(&fixture.claim(5, -3_600).await.claims), [0]);
}

pub async fn a_completion_claims_no_more_than_its_limit(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0], vec![0], vec![0]]);
    let (_, claims) = fixture.create(&graph, 1).await;
    let ending = graph.complete("0");
    let Finished::Recorded { claimed, .. } = fixture.finish(claims[0], ending, 2, 1).await else { panic!() };
    assert_eq!((steps(&claimed.claims), claimed.more), (vec![1, 2], true));
    assert_eq!(steps(&fixture.claim(9, 1).await.claims), [3]);
}

pub async fn a_completion_takes_other_work_when_asked(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (first, claims) = fixture.create(&graph, 1).await;
    let (second, _) = fixture.create(&graph, 0).await;
    let request = ClaimRequest { any: true, ..fixture.request(2, 1) };
    let ending = graph.complete("0");
    let attempt = FinishedAttempt { claim: claims[0], started_at: at(0), finished_at: at(1), ending };
    let (claims, _) = Fixture::recorded(fixture.store.finish(attempt, request).await.unwrap());
    let taken: Vec<_> = claims.iter().map(|claim| (claim.task, claim.key.step)).collect();
    assert_eq!(taken, [(first, 1), (second, 0)]);
}

pub async fn stale_claims_of_several_tasks_are_told_apart(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    // Some are claimed with their creation, and others from the queue: a store may know them differently.
    let mut claims = Vec::new();
    for number in 0..16 {
        claims.extend(fixture.create(&graph, number % 2).await.1);
    }
    claims.extend(fixture.claim(16, 0).await.claims);
    assert_eq!(claims.len(), 16);
    let stale: Vec<Claim> = claims.iter().map(|claim| Claim { attempt: 7, ..*claim }).collect();
    let by_task = |mut claims: Vec<Claim>| {
        claims.sort_by_key(|claim| claim.task);
        claims
    };
    let revoked = fixture.store.revoked([&stale[..], &claims].concat()).await.unwrap();
    assert_eq!(by_task(revoked), by_task(stale.clone()));
    fixture.store.release(stale, None, at(1)).await.unwrap();
    assert!(fixture.store.revoked(claims).await.unwrap().is_empty());
}

pub async fn what_is_handed_back_does_not_count(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let stale = Claim { attempt: 7, ..claims[0] };
    fixture.store.release(vec![stale, claims[0]], None, at(1)).await.unwrap();
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts), (StepState::Ready, 0));
    let late = fixture.finish(claims[0], graph.complete("0"), 0, 2).await;
    assert!(matches!(late, Finished::Stale));
    let again = fixture.claim(1, 2).await.claims;
    assert_eq!(again[0].attempt, 1);
    fixture.complete(&graph, again[0], 0, 3).await;
    assert_eq!(fixture.task(id).await.attempts.len(), 1);
}

pub async fn a_dead_worker_leaves_its_claims(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let other = WorkerId::random();
    fixture.store.register_worker(other, WorkerInfo::here(), at(0)).await.unwrap();
    let (_, claims) = fixture.create(&Shape::new(vec![vec![], vec![]]), 2).await;
    assert!(fixture.store.orphaned().await.unwrap().is_empty());
    fixture.store.worker_died(fixture.worker);
    let mut orphaned = fixture.store.orphaned().await.unwrap();
    orphaned.sort_by_key(|claim| claim.key);
    assert_eq!(orphaned, claims);
    for claim in claims {
        fixture.finish(claim, failed(None), 0, 1).await;
    }
    assert!(fixture.store.orphaned().await.unwrap().is_empty());
}

pub async fn a_worker_that_retires_with_a_claim_leaves_it(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (_, claims) = fixture.create(&Shape::new(vec![vec![]]), 1).await;
    fixture.store.retire_worker(fixture.worker).await.unwrap();
    assert_eq!(fixture.store.orphaned().await.unwrap(), claims);
    fixture.store.release(claims, None, at(1)).await.unwrap();
    assert!(fixture.store.orphaned().await.unwrap().is_empty());
}

pub async fn what_comes_back_later_waits_until_it_is_due(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (id, claims) = fixture.create(&Shape::diamond(), 1).await;
    fixture.store.release(claims, Some(at(5)), at(1)).await.unwrap();
    let early = fixture.claim(1, 4).await;
    assert_eq!((early.claims.len(), early.next_due), (0, Some(at(5))));
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts, step.due_at), (StepState::Ready, 0, Some(at(5))));
    assert_eq!(fixture.claim(1, 5).await.claims[0].attempt, 1);
}

pub async fn a_task_may_begin_later(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let task = NewTaskRecord { run_at: Some(at(60)), ..new_task(&Shape::diamond(), 0) };
    let claimed = new(fixture.store.create_task(task, fixture.request(5, 0)).await.unwrap());
    assert!(claimed.claims.is_empty() && !claimed.more);
    assert_eq!(fixture.claim(5, 59).await.next_due, Some(at(60)));
    assert_eq!(steps(&fixture.claim(5, 60).await.claims), [0]);
}

pub async fn a_step_says_since_when_it_is_ready(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let task = NewTaskRecord { run_at: Some(at(600)), priority: 3, ..new_task(&Shape::diamond(), 0) };
    let id = task.id;
    fixture.store.create_task(task, fixture.request(5, 0)).await.unwrap();
    let ready_at = async || {
        let task = fixture.task(id).await;
        task.ready_at(&task.steps[0])
    };
    assert_eq!(ready_at().await, Some(at(600)));
    // Nobody claims it.
    fixture.claim(0, 700).await;
    assert_eq!(ready_at().await, Some(at(600)));
    let claim = fixture.claim(1, 800).await.claims[0];
    assert_eq!(ready_at().await, None);
    fixture.finish(claim, failed(Some(at(900))), 0, 810).await;
    fixture.claim(0, 950).await;
    assert_eq!(ready_at().await, Some(at(900)));
    let claim = fixture.claim(1, 960).await.claims[0];
    fixture.store.release(vec![claim], None, at(970)).await.unwrap();
    assert_eq!(ready_at().await, Some(at(970)));
}

pub async fn a_point_of_priority_is_worth_a_minute(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let mut ids = Vec::new();
    for (second, priority) in [(0, 0), (100, 1), (100, 2), (100, -3)] {
        let task = NewTaskRecord { priority, ..new_task(&Shape::new(vec![vec![]]), second) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, second)).await.unwrap();
    }
    let claims = fixture.claim(9, 100).await.claims;
    let order: Vec<_> = claims.iter().map(|claim| claim.task).collect();
    // The first has waited for 100 s, which is more than one point and less than two.
    assert_eq!(order, [ids[2], ids[0], ids[1], ids[3]]);
}

pub async fn excluded_steps_are_left_to_others(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![], vec![0], vec![0]]);
    let (_, claims) = fixture.create(&graph, 1).await;
    let excluded = Arc::new([(template().id, 1), (template().id, 2)].into());
    let picky = ClaimRequest { excluded, any: true, ..fixture.request(9, 1) };
    let attempt = FinishedAttempt {
        claim: claims[0],
        started_at: at(0),
        finished_at: at(1),
        ending: graph.complete("0"),
    };
    let finished = fixture.store.finish(attempt, picky.clone()).await.unwrap();
    assert_eq!(steps(&Fixture::recorded(finished).0), [3]);
    let claimed = fixture.store.claim(picky).await.unwrap();
    assert_eq!((claimed.claims.len(), claimed.more), (0, false));
    assert_eq!(steps(&fixture.claim(9, 1).await.claims), [1, 2]);
}

pub async fn steps_of_other_namespaces_are_left_to_others(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let mut ids = Vec::new();
    for (second, namespace) in [(0, "a"), (1, "b"), (2, "it's, {c}"), (3, "b")] {
        let snapshot = format!("{{\"namespace\":{namespace:?}}}");
        let namespace = namespace.to_owned();
        let template = TemplateRecord { id: TemplateId::of(&snapshot), namespace, snapshot, ..template() };
        let task = NewTaskRecord { template: template.id, ..new_task(&graph, second) };
        fixture.store.put_template(template).await.unwrap();
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, second)).await.unwrap();
    }
    let of = |names: &[&str], limit| ClaimRequest {
        namespaces: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        any: true,
        ..fixture.request(limit, 9)
    };
    let claim = async |names: &[&str], limit| {
        let claimed = fixture.store.claim(of(names, limit)).await.unwrap();
        (claimed.claims.iter().map(|claim| claim.task).collect::<Vec<_>>(), claimed.more, claimed.claims)
    };
    assert_eq!(claim(&[], 9).await, (vec![], false, vec![]));
    assert_eq!(claim(&["d"], 9).await, (vec![], false, vec![]));
    let (tasks, more, claims) = claim(&["it's, {c}", "b"], 1).await;
    assert_eq!((tasks, more), (vec![ids[1]], true));
    // Its own task's next step, and then what the queue has for it.
    let attempt = FinishedAttempt {
        claim: claims[0],
        started_at: at(9),
        finished_at: at(9),
        ending: graph.complete("0"),
    };
    let finished = fixture.store.finish(attempt, of(&["it's, {c}", "b"], 9)).await.unwrap();
    let tasks: Vec<_> = Fixture::recorded(finished).0.iter().map(|claim| claim.task).collect();
    assert_eq!(tasks, [ids[1], ids[2], ids[3]]);
    assert_eq!(claim(&["b"], 9).await.0, []);
    assert_eq!(fixture.claim(9, 9).await.claims[0].task, ids[0]);
}

pub async fn who_ends_the_attempt_of_another_claims_nothing_in_passing(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::diamond();
    let (_, claims) = fixture.create(&graph, 1).await;
    let request = ClaimRequest { worker: WorkerId::random(), ..fixture.request(9, 1) };
    let (started_at, finished_at, ending) = (at(0), at(1), graph.complete("0"));
    let attempt = FinishedAttempt { claim: claims[0], started_at, finished_at, ending };
    let (claimed, _) = Fixture::recorded(fixture.store.finish(attempt, request).await.unwrap());
    assert!(claimed.is_empty(), "{claimed:?}");
    assert_eq!(steps(&fixture.claim(9, 1).await.claims), [1, 2]);
}
