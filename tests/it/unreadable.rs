//! A task on PostgreSQL that cannot be read harms no other.

use std::sync::Arc;

use tasker_runtime::TaskState;
use tasker_runtime::store::{PostgresStore, StoreError};
use tasker_runtime::worker::WorkerId;
use tasker_store::conformance::{Shape, at, new, new_task, template};
use tasker_store::{ClaimRequest, Finished, FinishedAttempt, Store, WorkerInfo};

use crate::postgres::Schema;

#[tokio::test]
async fn a_task_that_cannot_be_read_leaves_the_others_and_their_commits_alone() {
    let schema = Schema::new();
    let store = PostgresStore::open(&schema.url()).await.unwrap();
    let worker = WorkerId::random();
    let request = |limit| {
        let (excluded, namespaces) = (Arc::default(), None);
        ClaimRequest { worker, limit, any: true, now: at(0), excluded, namespaces }
    };
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(template()).await.unwrap();
    let graph = Shape::new(vec![vec![]]);
    for second in 0..2 {
        // Not known to the writer: they are claimed from the queue.
        new(store.create_task(new_task(&graph, second), request(0)).await.unwrap());
    }
    let claims = store.claim(request(2)).await.unwrap().claims;
    let [odd, other] = claims[..] else { panic!("{claims:?}") };
    let name = schema.name();
    schema.execute(&format!("UPDATE {name}.task SET state = 'odd' WHERE id = '{}'", odd.task)).await;
    let finish = |claim| {
        let ending = graph.complete("1");
        store.finish(FinishedAttempt { claim, started_at: at(0), finished_at: at(1), ending }, request(0))
    };
    let (failed, done) = tokio::join!(finish(odd), finish(other));
    assert!(matches!(failed, Err(StoreError::Unreadable { .. })), "{failed:?}");
    assert!(matches!(done.unwrap(), Finished::Recorded { settled: Some(TaskState::Complete), .. }));
    // As another process sees it: committed.
    let onlooker = PostgresStore::open(&schema.url()).await.unwrap();
    assert_eq!(onlooker.task(other.task).await.unwrap().unwrap().head.state, TaskState::Complete);
    // And what comes after a failure alone is as well.
    assert!(finish(odd).await.is_err());
    let third = new(store.create_task(new_task(&graph, 3), request(1)).await.unwrap()).claims[0];
    assert!(matches!(finish(third).await.unwrap(), Finished::Recorded { .. }));
    assert_eq!(onlooker.task(third.task).await.unwrap().unwrap().head.state, TaskState::Complete);
}
