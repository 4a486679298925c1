//! A step with several runs, which a store is told of by hand: no template makes them yet. The engine runs
//! them like any others.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tasker_runtime::store::{MemoryStore, SqliteStore};
use tasker_runtime::worker::{WorkerId, WorkerInfo};
use tasker_runtime::{Builder, StepContext, StepResult, StepState, Tasker};

use tasker_store::conformance::{self, Shape, at};
use tasker_store::{ClaimRequest, Ending, Finished, FinishedAttempt, Json, Spawned, Store};
use tasker_template::Graph;

use crate::support::{new_task, template};

fn builder(store: &Arc<MemoryStore>) -> Builder {
    let shared: Arc<dyn Store> = Arc::clone(store) as _;
    Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("analyze\nwork: analyze\ngather: work"))
        .shared_store(shared)
}

/// Completes `analyze`, which asks for so many runs of `work`.
async fn analyze(store: &MemoryStore, runs: u32) {
    let worker = WorkerId::random();
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    let now = jiff::Timestamp::now();
    let request =
        ClaimRequest { worker, limit: 1, any: true, now, excluded: Arc::default(), namespaces: None };
    let claim = store.claim(request.clone()).await.unwrap().claims[0];
    let inputs = (1..=runs).map(|number| Json::from_value(&json!({ "part": number })).unwrap()).collect();
    let ending = Ending::Complete {
        result: Json::from_value(&runs).unwrap(),
        graph: Arc::new(Graph::new(vec![vec![], vec![0], vec![1]])),
        spawned: Some(Spawned { step: 1, inputs }),
        writes: Arc::default(),
    };
    let attempt = FinishedAttempt { claim, started_at: now, finished_at: now, ending };
    store.finish(attempt, ClaimRequest { limit: 0, any: false, ..request }).await.unwrap();
    store.retire_worker(worker).await.unwrap();
}

#[tokio::test]
async fn each_of_several_runs_is_run_once_and_has_a_key_of_its_own() {
    let store = Arc::new(MemoryStore::new());
    let client = builder(&store).without_worker().build().await.unwrap();
    let id = client.create_task(new_task()).await.unwrap();
    analyze(&store, 3).await;
    let task = client.get_task(id).await.unwrap();
    assert_eq!(task.step("work").unwrap().state, StepState::Ready);
    assert_eq!(task.step("gather").unwrap().state, StepState::Pending);

    let keys: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&keys);
    let worker = builder(&store)
        .handler_fn("analyze", |_: StepContext| async { StepResult::Ok(()) })
        .handler_fn("work", move |step: StepContext| {
            seen.lock().unwrap().push(step.idempotency_key());
            async move { StepResult::Ok(step.attempt()) }
        })
        .handler_fn("gather", |step: StepContext| async move {
            let parts: Vec<u32> = step.dependency("work")?;
            StepResult::Ok(parts.len())
        })
        .build()
        .await
        .unwrap();
    let task = worker.wait(id).await.unwrap();
    let mut keys = keys.lock().unwrap().clone();
    keys.sort();
    let expected: Vec<String> = (1..=3).map(|instance| format!("{id}/work#{instance:03}")).collect();
    assert_eq!(keys, expected);
    assert_eq!(task.step_output::<usize>("gather").unwrap(), 3);
    let work = task.step("work").unwrap();
    let instances: Vec<u32> = work.attempts.iter().map(|attempt| attempt.instance).collect();
    assert_eq!((work.state, instances), (StepState::Complete, vec![1, 2, 3]));
    assert_eq!(task.step_output::<Vec<u32>>("work").unwrap(), [1, 1, 1]);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_step_without_runs_is_complete_with_an_empty_list() {
    let store = Arc::new(MemoryStore::new());
    let client = builder(&store).without_worker().build().await.unwrap();
    let id = client.create_task(new_task()).await.unwrap();
    analyze(&store, 0).await;
    let task = client.get_task(id).await.unwrap();
    let work = task.step("work").unwrap();
    assert_eq!((work.state, work.attempts.len()), (StepState::Complete, 0));
    assert!(task.step_output::<Vec<u32>>("work").unwrap().is_empty());
    assert_eq!(task.step("gather").unwrap().state, StepState::Ready);
}

/// A step of which one run is done is not done itself, also for a process that reads the task anew.
#[tokio::test]
async fn what_waits_for_several_runs_waits_for_all_of_them_in_another_process_too() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(directory.path().join("tasker.db")).unwrap();
    let (store, other) = (open(), open());
    let worker = WorkerId::random();
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(conformance::template()).await.unwrap();
    let shape = Shape::new(vec![vec![], vec![0], vec![], vec![1, 2]]);
    let request = |second| ClaimRequest {
        worker,
        limit: 2,
        any: false,
        now: at(second),
        excluded: Arc::default(),
        namespaces: None,
    };
    let end = async |store: &SqliteStore, claim, ending, second| {
        let attempt = FinishedAttempt { claim, started_at: at(second), finished_at: at(second), ending };
        match store.finish(attempt, request(second)).await.unwrap() {
            Finished::Recorded { claimed, .. } => claimed.claims,
            Finished::Stale => panic!("the claim was lost"),
        }
    };
    let created = store.create_task(conformance::new_task(&shape, 0), request(0)).await.unwrap();
    let roots = conformance::new(created).claims;
    let runs = end(&store, roots[0], shape.spawn(1, 2), 1).await;
    assert_eq!(runs.len(), 2);
    assert!(end(&store, runs[0], shape.complete("1"), 2).await.is_empty());
    assert!(end(&other, roots[1], shape.complete("2"), 3).await.is_empty());
    assert_eq!(end(&store, runs[1], shape.complete("1"), 4).await.len(), 1);
}
