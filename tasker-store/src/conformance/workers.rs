//! Who is there.

use std::sync::Arc;

use crate::claim::ClaimRequest;
use crate::conformance::{Fixture, Shape, at, new, new_task};
use crate::id::WorkerId;
use crate::state::TaskState;
use crate::store::Store;
use crate::task::PruneRequest;
use crate::worker::{WorkerInfo, WorkerRecord};

impl Fixture {
    async fn known(&self, worker: WorkerId) -> Option<WorkerRecord> {
        self.store.workers().await.unwrap().into_iter().find(|known| known.id == worker)
    }
}

pub async fn workers_are_listed_with_what_they_have_claimed(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let other = WorkerId::random();
    let namespaces = Some(vec!["billing".to_owned(), "it's, {odd}".to_owned()]);
    let info = WorkerInfo { namespaces, handlers: 7, concurrency: 3, ..WorkerInfo::here() }
        .callables(Some(vec!["Billing::Charge".to_owned(), "it's, {odd}".to_owned()]))
        .program(Some("shop 1.4.2".to_owned()))
        .environment(Some("sandbox".to_owned()));
    fixture.store.register_worker(other, info.clone(), at(0)).await.unwrap();
    let graph = Shape::new(vec![vec![], vec![]]);
    let (_, claims) = fixture.create(&graph, 2).await;
    let known = fixture.known(other).await.unwrap();
    assert_eq!((&known.info, known.running, known.alive), (&info, 0, true));
    let own = fixture.known(fixture.worker).await.unwrap();
    assert_eq!((own.info, own.running, own.alive), (WorkerInfo::here(), 2, true));
    fixture.complete(&graph, claims[0], 0, 1).await;
    fixture.store.release(vec![claims[1]], None, at(1)).await.unwrap();
    assert_eq!(fixture.known(fixture.worker).await.unwrap().running, 0);
    fixture.store.retire_worker(other).await.unwrap();
    assert_eq!(fixture.known(other).await, None);
}

pub async fn the_program_of_a_worker_is_kept_for_as_long_as_its_attempts(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (store, other) = (&fixture.store, WorkerId::random());
    let info = WorkerInfo::new("host", 7, "0.4.0").program(Some("shop 1.4.2".to_owned()));
    store.register_worker(other, info, at(0)).await.unwrap();
    let graph = Shape::new(vec![vec![]]);
    let program = async || store.program_of(other).await.unwrap();
    let complete = async |worker, second| {
        let task = new_task(&graph, 0);
        let id = task.id;
        let request = ClaimRequest { worker, ..fixture.request(1, second) };
        let claims = new(store.create_task(task, request).await.unwrap()).claims;
        fixture.complete(&graph, claims[0], 0, second).await;
        id
    };
    let task = complete(other, 1).await;
    assert_eq!(fixture.task(task).await.attempts[0].worker, other);
    let kept = program().await.unwrap();
    assert_eq!((kept.worker, kept.program.as_deref(), &*kept.tasker), (other, Some("shop 1.4.2"), "0.4.0"));
    assert!(store.program_of(WorkerId::random()).await.unwrap().is_none());

    // It outlives the worker for as long as one of its attempts is kept.
    store.retire_worker(other).await.unwrap();
    assert!(store.orphaned().await.unwrap().is_empty());
    assert_eq!(fixture.known(other).await, None);
    let prune = async |second| {
        for _ in 0..2 {
            let (states, settled_before) = (vec![TaskState::Complete], at(second));
            store.prune(PruneRequest { states, settled_before, limit: 10 }).await.unwrap();
        }
    };
    prune(1).await;
    complete(fixture.worker, 5).await;
    prune(1).await;
    assert_eq!(program().await, Some(kept));
    // The other task is kept, which the worker has recorded nothing of.
    prune(2).await;
    assert!(store.task(task).await.unwrap().is_none());
    assert_eq!(program().await, None);
    assert!(store.program_of(fixture.worker).await.unwrap().is_some());
}

pub async fn a_dead_worker_is_listed_while_something_is_claimed_in_its_name(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (_, claims) = fixture.create(&Shape::new(vec![vec![]]), 1).await;
    fixture.store.worker_died(fixture.worker);
    assert_eq!(fixture.store.orphaned().await.unwrap(), claims);
    assert!(!fixture.known(fixture.worker).await.unwrap().alive);
    fixture.store.release(claims, None, at(1)).await.unwrap();
    assert!(fixture.store.orphaned().await.unwrap().is_empty());
    assert_eq!(fixture.known(fixture.worker).await, None);
}
