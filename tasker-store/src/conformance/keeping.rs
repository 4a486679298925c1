//! What is kept, found again, and deleted.

use std::sync::Arc;

use crate::attempt::Ending;
use crate::conformance::{Fixture, Shape, at, error, failed, new, new_task, template};
use crate::error::StoreError;
use crate::id::{TaskId, TemplateId};
use crate::json::Json;
use crate::state::{AttemptOutcome, StepState, TaskState};
use crate::store::Store;
use crate::task::{Created, NewTaskRecord, Origin, PruneRequest, TaskFilter};

pub async fn a_task_needs_its_template(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let mut task = new_task(&Shape::diamond(), 0);
    task.template = TemplateId::of("another");
    let id = task.id;
    let error = fixture.store.create_task(task, fixture.request(1, 0)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoTemplate(_)), "{error}");
    assert!(fixture.store.task(id).await.unwrap().is_none());
    assert!(fixture.claim(10, 9).await.claims.is_empty());
}

pub async fn every_attempt_is_kept(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(Some(at(1))), 0, 1).await;
    let second = fixture.claim(1, 1).await.claims[0];
    let timed_out =
        Ending::Failed { outcome: AttemptOutcome::TimedOut, error: error(), retry_at: Some(at(2)) };
    fixture.finish(second, timed_out, 0, 2).await;
    let third = fixture.claim(1, 2).await.claims[0];
    fixture.complete(&graph, third, 0, 4).await;
    let attempts = fixture.task(id).await.attempts;
    let kept: Vec<_> = attempts
        .iter()
        .map(|one| (one.attempt, one.outcome, one.started_at, one.finished_at, one.result.is_some()))
        .collect();
    assert_eq!(
        kept,
        [
            (1, AttemptOutcome::Failed, at(0), at(1), false),
            (2, AttemptOutcome::TimedOut, at(1), at(2), false),
            (3, AttemptOutcome::Complete, at(2), at(4), true),
        ]
    );
    assert_eq!((attempts[0].error.as_ref(), attempts[0].worker), (Some(&error()), fixture.worker));
}

pub async fn inputs_are_the_context_and_the_results(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0], vec![1]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let (next, _) = fixture.complete(&graph, claims[0], 1, 1).await;
    fixture.complete(&graph, next[0], 0, 2).await;
    let inputs = fixture.store.inputs(id, 0.into(), &[1, 2, 0]).await.unwrap().unwrap();
    assert_eq!((inputs.context.get(), inputs.correlation_id), (r#"{"k":1}"#, id.0));
    let results: Vec<_> = inputs.results.iter().map(|result| result.as_ref().map(Json::get)).collect();
    assert_eq!(results, [Some("1"), None, Some("0")]);
    assert!(fixture.store.inputs(TaskId::random(), 0.into(), &[]).await.unwrap().is_none());
}

pub async fn lists_are_newest_first_and_paged(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (id, claims) = fixture.create(&graph, 1).await;
        ids.push(id);
        match ids.len() {
            1 => drop(fixture.complete(&graph, claims[0], 0, 1).await),
            2 => drop(fixture.finish(claims[0], failed(None), 0, 1).await),
            _ => {}
        }
    }
    let list = async |filter| {
        let heads = fixture.store.tasks(filter).await.unwrap();
        heads.iter().map(|head| head.id).collect::<Vec<_>>()
    };
    let all = TaskFilter { limit: 2, ..TaskFilter::default() };
    assert_eq!(list(all.clone()).await, [ids[4], ids[3]]);
    assert_eq!(list(TaskFilter { before: Some(ids[3]), ..all.clone() }).await, [ids[2], ids[1]]);
    for (state, expected) in [
        (TaskState::Complete, vec![ids[0]]),
        (TaskState::BlockedByFailures, vec![ids[1]]),
        (TaskState::InProgress, vec![ids[4], ids[3], ids[2]]),
    ] {
        assert_eq!(list(TaskFilter { states: vec![state], ..TaskFilter::default() }).await, expected);
    }
}

pub async fn a_template_is_kept_once(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    fixture.store.put_template(template()).await.unwrap();
    let kept = fixture.store.template(template().id).await.unwrap().unwrap();
    assert_eq!(*kept, template());
    assert!(fixture.store.template(TemplateId::of("another")).await.unwrap().is_none());
    assert_eq!(fixture.store.template_ids().await.unwrap(), [template().id]);
}

pub async fn a_task_of_the_same_identity_is_not_created(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let task = |number: u8| NewTaskRecord { identity: Some([number; 32]), ..new_task(&Shape::diamond(), 0) };
    let first = task(1);
    let id = first.id;
    new(fixture.store.create_task(first, fixture.request(0, 0)).await.unwrap());
    let second = task(1);
    let refused = second.id;
    let created = fixture.store.create_task(second, fixture.request(5, 0)).await.unwrap();
    assert!(matches!(created, Created::Duplicate { id: existing, .. } if existing == id));
    assert!(fixture.store.task(refused).await.unwrap().is_none());
    new(fixture.store.create_task(task(2), fixture.request(0, 0)).await.unwrap());
    assert_eq!(fixture.claim(9, 0).await.claims.len(), 2);
}

pub async fn a_glance_shows_the_states_of_several_tasks(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![]]);
    let (first, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(Some(at(9))), 0, 1).await;
    let (second, claims) = fixture.create(&graph, 2).await;
    fixture.complete(&graph, claims[0], 0, 1).await;
    fixture.complete(&graph, claims[1], 0, 1).await;
    let mut seen = fixture.store.glance(&[first, TaskId::random(), second]).await.unwrap();
    seen.sort_by_key(|one| one.id);
    let states: Vec<_> = seen.iter().map(|one| (one.id, one.state, one.runs.len())).collect();
    assert_eq!(states, [(first, TaskState::InProgress, 2), (second, TaskState::Complete, 0)]);
    let runs: Vec<_> = seen[0].runs.iter().map(|run| (run.key.step, run.state, run.due_at)).collect();
    assert_eq!(runs, [(0, StepState::WaitingForRetry, Some(at(9))), (1, StepState::Ready, None)]);
    assert!(fixture.store.glance(&[]).await.unwrap().is_empty());
}

pub async fn lists_can_be_filtered(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let tags = |tags: &[&str]| Origin {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        initiator: Some("ada".to_owned()),
        ..Origin::default()
    };
    let mut ids = Vec::new();
    for origin in [tags(&["red"]), tags(&["red", "blue"]), Origin::default()] {
        let task = NewTaskRecord { origin, ..new_task(&Shape::diamond(), 0) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, 0)).await.unwrap();
    }
    let list = async |filter: TaskFilter| {
        let heads = fixture.store.tasks(filter).await.unwrap();
        heads.iter().map(|head| head.id).collect::<Vec<_>>()
    };
    let all = TaskFilter::default;
    assert_eq!(list(TaskFilter { tag: Some("red".to_owned()), ..all() }).await, [ids[1], ids[0]]);
    assert_eq!(list(TaskFilter { tag: Some("blue".to_owned()), ..all() }).await, [ids[1]]);
    assert_eq!(list(TaskFilter { correlation_id: Some(ids[2].0), ..all() }).await, [ids[2]]);
    let named = |namespace: &str, name: &str| TaskFilter {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..all()
    };
    assert_eq!(list(named("n", "t")).await.len(), 3);
    assert!(list(named("n", "other")).await.is_empty() && list(named("other", "t")).await.is_empty());
    let states = vec![TaskState::Complete, TaskState::InProgress];
    assert_eq!(list(TaskFilter { states, limit: 2, ..all() }).await, [ids[2], ids[1]]);
    assert_eq!(fixture.task(ids[1]).await.head.origin, tags(&["red", "blue"]));
}

pub async fn old_tasks_are_pruned_with_all_that_is_theirs(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let identity = Some([3; 32]);
    let mut ids = Vec::new();
    for second in 0..4 {
        let identity = identity.filter(|_| second == 0);
        let task = NewTaskRecord { identity, ..new_task(&graph, second) };
        ids.push(task.id);
        let claimed = new(fixture.store.create_task(task, fixture.request(1, second)).await.unwrap());
        match second {
            3 => fixture.finish(claimed.claims[0], failed(None), 0, second).await,
            _ => fixture.finish(claimed.claims[0], graph.complete("0"), 0, second).await,
        };
    }
    let prune = |limit, second| PruneRequest {
        states: vec![TaskState::Complete, TaskState::Cancelled, TaskState::BlockedByFailures],
        settled_before: at(second),
        limit,
    };
    assert_eq!(fixture.store.prune(prune(1, 2)).await.unwrap(), 1);
    assert_eq!(fixture.store.prune(prune(9, 2)).await.unwrap(), 1);
    assert_eq!(fixture.store.prune(prune(9, 2)).await.unwrap(), 0);
    assert!(fixture.store.task(ids[0]).await.unwrap().is_none());
    assert_eq!(fixture.task(ids[2]).await.attempts.len(), 1);
    // Blocked is not over.
    assert_eq!(fixture.store.prune(prune(9, 99)).await.unwrap(), 1);
    assert_eq!(fixture.task(ids[3]).await.head.state, TaskState::BlockedByFailures);
    // What was pruned does not keep its like from being created.
    let task = NewTaskRecord { identity, ..new_task(&graph, 5) };
    new(fixture.store.create_task(task, fixture.request(0, 5)).await.unwrap());
}
