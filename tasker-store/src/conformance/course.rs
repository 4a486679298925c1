//! The course of a task: what follows from an attempt that ended.

use std::sync::Arc;

use crate::attempt::Finished;
use crate::claim::Claim;
use crate::conformance::{Fixture, Shape, at, failed, steps};
use crate::id::{TaskId, WorkerId};
use crate::state::{StepState, TaskState};
use crate::store::Store;

pub async fn a_task_starts_with_its_roots(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0], vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(steps(&claims), [0]);
    assert_eq!((claims[0].task, claims[0].attempt, claims[0].worker), (id, 1, fixture.worker));
    let record = fixture.task(id).await;
    assert_eq!(record.head.state, TaskState::InProgress);
    assert_eq!((record.head.created_at, record.head.settled_at), (at(0), None));
    let states: Vec<_> = record.steps.iter().map(|step| (step.key.step, step.state, step.attempts)).collect();
    assert_eq!(states, [(0, StepState::InProgress, 1), (2, StepState::Ready, 0)]);
}

pub async fn a_chain_runs_in_one_claim_a_stage(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0], vec![1]]);
    let (id, mut claims) = fixture.create(&graph, 1).await;
    for step in 0..3 {
        assert_eq!(steps(&claims), [step]);
        let (next, settled) = fixture.complete(&graph, claims[0], 1, i64::from(step) + 1).await;
        assert_eq!(settled, (step == 2).then_some(TaskState::Complete));
        claims = next;
    }
    assert!(claims.is_empty());
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::Complete, Some(at(3))));
    assert!(record.steps.is_empty());
}

pub async fn a_diamond_converges_once(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::diamond();
    let (_, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 2, 1).await;
    assert_eq!(steps(&branches), [1, 2]);
    let (none, _) = fixture.complete(&graph, branches[1], 2, 2).await;
    assert!(none.is_empty());
    let (join, _) = fixture.complete(&graph, branches[0], 2, 3).await;
    assert_eq!(steps(&join), [3]);
    let (last, _) = fixture.complete(&graph, join[0], 2, 4).await;
    let (none, settled) = fixture.complete(&graph, last[0], 2, 5).await;
    assert_eq!((none.len(), settled), (0, Some(TaskState::Complete)));
}

pub async fn several_sinks_complete_the_task_together(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![], vec![]]);
    let (id, claims) = fixture.create(&graph, 3).await;
    for (index, claim) in claims.iter().enumerate() {
        let (_, settled) = fixture.complete(&graph, *claim, 0, 1).await;
        assert_eq!(settled, (index == 2).then_some(TaskState::Complete));
    }
    assert!(fixture.task(id).await.steps.is_empty());
}

pub async fn a_stale_answer_changes_nothing(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let claim = claims[0];
    for stale in [
        Claim { attempt: 2, ..claim },
        Claim { worker: WorkerId::random(), ..claim },
        Claim { key: 1.into(), ..claim },
        Claim { task: TaskId::random(), ..claim },
    ] {
        let finished = fixture.finish(stale, graph.complete("9"), 1, 1).await;
        assert!(matches!(finished, Finished::Stale), "{stale:?}");
    }
    fixture.complete(&graph, claim, 0, 1).await;
    let again = fixture.finish(claim, graph.complete("9"), 1, 2).await;
    assert!(matches!(again, Finished::Stale));
    let record = fixture.task(id).await;
    let results: Vec<_> =
        record.attempts.iter().map(|attempt| attempt.result.as_ref().unwrap().get()).collect();
    assert_eq!(results, ["0"]);
}

pub async fn a_retry_waits_until_it_is_due(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let finished = fixture.finish(claims[0], failed(Some(at(10))), 1, 1).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts, step.due_at), (StepState::WaitingForRetry, 1, Some(at(10))));
    let early = fixture.claim(1, 9).await;
    assert_eq!((early.claims.len(), early.next_due), (0, Some(at(10))));
    let due = fixture.claim(1, 10).await;
    assert_eq!((due.claims[0].attempt, due.next_due), (2, None));
    let (_, settled) = fixture.complete(&graph, due.claims[0], 0, 11).await;
    assert_eq!(settled, Some(TaskState::Complete));
}

pub async fn a_final_failure_blocks_when_nothing_moves(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Shape::diamond();
    let (id, claims) = fixture.create(&graph, 1).await;
    let finished = fixture.finish(claims[0], failed(None), 1, 1).await;
    assert_eq!(Fixture::recorded(finished), (vec![], Some(TaskState::BlockedByFailures)));
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::BlockedByFailures, Some(at(1))));
    assert_eq!((record.steps.len(), record.steps[0].state), (1, StepState::Error));
}

pub async fn other_branches_go_on_after_a_failure(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    // 0 -> 1 -> 3, and 2 beside it, which waits for a retry in between.
    let graph = Shape::new(vec![vec![], vec![0], vec![0], vec![1]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 2, 1).await;
    let finished = fixture.finish(branches[0], failed(None), 1, 2).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    let finished = fixture.finish(branches[1], failed(Some(at(5))), 1, 3).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    assert_eq!(fixture.task(id).await.head.state, TaskState::InProgress);
    let retry = fixture.claim(1, 5).await.claims[0];
    let (none, settled) = fixture.complete(&graph, retry, 1, 6).await;
    assert_eq!((none.len(), settled), (0, Some(TaskState::BlockedByFailures)));
}

pub async fn a_wide_fan_out_converges(store: Arc<dyn Store>) {
    const WIDTH: u32 = 200;
    let fixture = Fixture::new(store).await;
    let mut parents = vec![vec![]];
    parents.extend((0..WIDTH).map(|_| vec![0]));
    parents.push((1..=WIDTH).collect());
    let graph = Shape::new(parents);
    let (_, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 300, 1).await;
    assert_eq!(branches.len(), WIDTH as usize);
    let mut join = Vec::new();
    for branch in branches {
        assert!(join.is_empty());
        (join, _) = fixture.complete(&graph, branch, 1, 2).await;
    }
    assert_eq!(steps(&join), [WIDTH + 1]);
    let (_, settled) = fixture.complete(&graph, join[0], 1, 3).await;
    assert_eq!(settled, Some(TaskState::Complete));
}
