//! Many callers that wait for tasks cost the store next to nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tasker_runtime::{NewTask, StepContext, StepResult, TaskId, TaskState, Tasker};
use tasker_store::doctor::{Facts, FactsRequest, Finding};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    LimitRecord, LimitScope, MemoryStore, NewTaskRecord, PermitGrants, PermitRequest, ProgramRecord,
    PruneRequest, StepKey, Store, StoreError, TaskFilter, TaskGlance, TaskHead, TaskInputs, TaskRecord,
    TemplateId, TemplateRecord, WorkerId, WorkerInfo, WorkerRecord,
};
use tasker_template::StepIndex;

use crate::support::virtual_time;

/// How often each operation was asked for.
type Counts = Arc<Mutex<BTreeMap<&'static str, usize>>>;

/// A store in memory that several runtimes share, and that counts.
#[derive(Clone, Debug, Default)]
struct Counting {
    inner: Arc<MemoryStore>,
    counts: Counts,
}

impl Counting {
    /// How often it was asked for each operation since the last call.
    fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }
}

macro_rules! counting {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Counting {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                *self.counts.lock().unwrap().entry(stringify!($name)).or_default() += 1;
                self.inner.$name($($argument),*).await
            })*

            fn worker_died(&self, worker: WorkerId) {
                self.inner.worker_died(worker);
            }
        }
    };
}

counting! {
    register_worker(worker: WorkerId, info: WorkerInfo, now: Timestamp) -> ();
    workers() -> Vec<WorkerRecord>;
    program_of(worker: WorkerId) -> Option<ProgramRecord>;
    retire_worker(worker: WorkerId) -> ();
    put_template(template: TemplateRecord) -> ();
    template(id: TemplateId) -> Option<Arc<TemplateRecord>>;
    template_ids() -> Vec<TemplateId>;
    create_task(task: NewTaskRecord, claim: ClaimRequest) -> Created;
    claim(claim: ClaimRequest) -> Claimed;
    finish(attempt: FinishedAttempt, claim: ClaimRequest) -> Finished;
    release(claims: Vec<Claim>, due_at: Option<Timestamp>, now: Timestamp) -> ();
    revoked(claims: Vec<Claim>) -> Vec<Claim>;
    act(action: ActionRequest) -> Acted;
    prune(prune: PruneRequest) -> usize;
    set_limit(limit: FleetLimit) -> ();
    remove_limit(scope: LimitScope) -> bool;
    limits() -> Vec<LimitRecord>;
    permits(request: PermitRequest) -> PermitGrants;
    orphaned() -> Vec<Claim>;
    inputs(task: TaskId, run: StepKey, steps: &[StepIndex]) -> Option<TaskInputs>;
    task(id: TaskId) -> Option<TaskRecord>;
    glance(tasks: &[TaskId]) -> Vec<TaskGlance>;
    tasks(filter: TaskFilter) -> Vec<TaskHead>;
    facts(request: FactsRequest) -> Facts;
    inspect(repair: bool) -> Vec<Finding>;
}

impl tasker_store::sealed::Sealed for Counting {}

/// A runtime that runs no steps, whose callers wait for what others run.
async fn client(store: &Counting) -> Tasker {
    let builder = virtual_time("a").store(store.clone()).poll_interval(Duration::from_secs(1));
    builder.without_worker().build().await.unwrap()
}

async fn created(tasker: &Tasker, number: usize) -> TaskId {
    tasker.create_task(NewTask::new("test", "flow", &json!({ "n": number }))).await.unwrap()
}

/// A worker that completes what there is.
async fn worker(store: &Counting) -> Tasker {
    let builder = virtual_time("a").store(store.clone());
    builder.handler_fn("a", async |_: StepContext| StepResult::Ok(1)).build().await.unwrap()
}

fn waiting(tasker: &Tasker, tasks: &[TaskId]) -> Vec<tokio::task::JoinHandle<TaskState>> {
    let wait = |id: &TaskId| {
        let (tasker, id) = (tasker.clone(), *id);
        tokio::spawn(async move { tasker.wait(id).await.unwrap().state })
    };
    tasks.iter().map(wait).collect()
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_one_task_share_what_the_store_tells() {
    let store = Counting::default();
    let client = client(&store).await;
    let id = created(&client, 0).await;
    store.take();
    let waiting = waiting(&client, &[id; 1_000]);
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    // One look, and then one a second for all of them.
    assert_eq!(store.take(), BTreeMap::from([("glance", 10), ("task", 1)]));
    let worker = worker(&store).await;
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), TaskState::Complete);
    }
    let counts = store.take();
    assert!(counts["task"] <= 2 && counts["glance"] <= 2, "{counts:?}");
    worker.shutdown().await;
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_thousand_tasks_ask_for_all_of_them_at_once() {
    let store = Counting::default();
    let client = client(&store).await;
    let mut ids = Vec::new();
    for number in 0..1_000 {
        ids.push(created(&client, number).await);
    }
    store.take();
    let waiting = waiting(&client, &ids);
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    assert_eq!(store.take(), BTreeMap::from([("glance", 10), ("task", 1_000)]));
    let worker = worker(&store).await;
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), TaskState::Complete);
    }
    worker.shutdown().await;
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_task_that_runs_here_asks_for_nothing() {
    let store = Counting::default();
    let builder = virtual_time("a").store(store.clone());
    let slow = async |_: StepContext| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        StepResult::Ok(1)
    };
    let tasker = builder.handler_fn("a", slow).build().await.unwrap();
    let id = created(&tasker, 0).await;
    store.take();
    for waiter in waiting(&tasker, &[id; 1_000]) {
        assert_eq!(waiter.await.unwrap(), TaskState::Complete);
    }
    let counts = store.take();
    assert!(!counts.contains_key("task") && !counts.contains_key("glance"), "{counts:?}");
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_task_that_is_deleted_is_told() {
    let store = Counting::default();
    let client = client(&store).await;
    let id = created(&client, 0).await;
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.wait(id).await.unwrap_err().to_string() })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.cancel(id, &tasker_runtime::operate::Operator::new("ada")).await.unwrap();
    assert!(waiting.await.unwrap().contains("is cancelled"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    client.prune(Duration::from_secs(1), 10).await.unwrap();
    assert_eq!(client.wait(id).await.unwrap_err().to_string(), format!("there is no task {id}"));
    client.shutdown().await;
}
