//! Who is there.

use std::sync::Arc;

use crate::conformance::{Fixture, Shape, at};
use crate::id::WorkerId;
use crate::store::Store;
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
    let info = WorkerInfo { namespaces, handlers: 7, concurrency: 3, ..WorkerInfo::here() };
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
