//! What survives: restarts, crashes of a worker, several workers on one file, a store that fails.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tasker_runtime::clock::Clock;
use tasker_runtime::store::{MemoryStore, SqliteStore, StoreError};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{Builder, NewTask, StepContext, StepResult, StepState, TaskId, TaskState, Tasker};
use tasker_store::TemplateId;
use tasker_store::doctor::{Facts, FactsRequest, Finding};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    LimitRecord, LimitScope, NewTaskRecord, PermitGrants, PermitRequest, ProgramRecord, PruneRequest,
    StepKey, Store, TaskFilter, TaskGlance, TaskHead, TaskInputs, TaskRecord, TemplateRecord, WorkerInfo,
    WorkerRecord,
};
use tokio::sync::Notify;

use crate::patience::within;
use crate::support::{Ledger, ended, new_task, on_file, recording, template};

/// A builder whose step `b` says that it runs, and then never ends.
fn stuck_in_b(builder: Builder, entered: &Arc<Notify>) -> Builder {
    let entered = Arc::clone(entered);
    builder.handler_fn("b", move |_: StepContext| {
        entered.notify_one();
        std::future::pending::<StepResult<()>>()
    })
}

/// Runs a process that dies in the middle of step `b`: its threads end, and it hands nothing back.
/// The task that it created.
fn die_in_b(path: &Path, steps: &str, ledger: &Ledger, others: &[&str], create: bool) -> Option<TaskId> {
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (tasker, id) = process.block_on(async {
        let entered = Arc::new(Notify::new());
        let builder = stuck_in_b(recording(on_file(path, steps), ledger, others), &entered);
        let tasker = builder.build().await.unwrap();
        let id = if create { Some(tasker.create_task(new_task()).await.unwrap()) } else { None };
        within("the step", entered.notified()).await;
        (tasker, id)
    });
    drop(process);
    drop(tasker);
    id
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_next_process_goes_on_after_a_crash_and_the_crash_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let ledger = Ledger::default();
    let steps = "a\nb: a | retry: {max_attempts: 2}\nc: b";
    let id = die_in_b(&path, steps, &ledger, &["a", "c"], true).unwrap();
    block_on(async {
        let tasker = recording(on_file(&path, steps), &ledger, &["a", "b", "c"]).build().await.unwrap();
        let task = tasker.wait(id).await.unwrap();
        assert_eq!(ledger.lines(), ["a#1", "b#2", "c#1"]);
        let outcomes: Vec<_> =
            task.step("b").unwrap().attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Crashed, AttemptOutcome::Complete]);
        tasker.shutdown().await;
    });
    assert!(!directory.path().join("t.db-workers").exists(), "no lock is left behind");
}

#[test]
fn a_step_that_always_crashes_its_process_ends_in_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let ledger = Ledger::default();
    let steps = "b | retry: {max_attempts: 3}";
    let id = die_in_b(&path, steps, &ledger, &[], true).unwrap();
    die_in_b(&path, steps, &ledger, &[], false);
    die_in_b(&path, steps, &ledger, &[], false);
    block_on(async {
        let tasker = recording(on_file(&path, steps), &ledger, &["b"]).build().await.unwrap();
        let task = ended(tasker.wait(id).await);
        let step = &task.steps[0];
        assert_eq!(
            (task.state, step.state, step.attempts.len()),
            (TaskState::BlockedByFailures, StepState::Error, 3)
        );
        assert_eq!(
            step.error().unwrap().to_string(),
            "the worker's process ended during the attempt [WORKER_DIED]"
        );
        assert!(ledger.lines().is_empty());
        tasker.shutdown().await;
    });
}

#[tokio::test]
async fn a_dropped_runtime_ends_its_handlers_and_the_next_one_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (ledger, entered) = (Ledger::default(), Arc::new(Notify::new()));
    let tasker = stuck_in_b(on_file(&path, "b"), &entered).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    drop(tasker);
    let tasker = recording(on_file(&path, "b"), &ledger, &["b"]).build().await.unwrap();
    assert_eq!(tasker.wait(id).await.unwrap().state, TaskState::Complete);
    assert_eq!(ledger.lines().len(), 1);
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_task_keeps_the_template_that_it_was_created_with() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (ledger, entered) = (Ledger::default(), Arc::new(Notify::new()));
    let tasker = stuck_in_b(recording(on_file(&path, "a\nb: a\nc: b"), &ledger, &["a", "c"]), &entered)
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    drop(tasker);

    // The new program has the same template under the same version with other steps.
    let builder = recording(on_file(&path, "a\nd: a"), &ledger, &["a", "b", "c", "d"]);
    let tasker = builder.build().await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    let names: Vec<_> = task.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let other = tasker.create_task(new_task()).await.unwrap();
    assert!(tasker.wait(other).await.unwrap().step("d").is_some());
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_step_without_a_handler_waits_for_a_worker_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (ledger, entered) = (Ledger::default(), Arc::new(Notify::new()));
    let tasker =
        recording(stuck_in_b(on_file(&path, "a\nb: a"), &entered), &ledger, &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    drop(tasker);

    // A program that knows nothing of step b leaves it alone; another task shows that it has been at work.
    let tasker = recording(on_file(&path, "a"), &ledger, &["a"]).build().await.unwrap();
    let other = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(other).await.unwrap();
    let step = tasker.get_task(id).await.unwrap().steps[1].clone();
    assert!(step.attempts.iter().all(|attempt| attempt.outcome == AttemptOutcome::Crashed), "{step:?}");
    tasker.shutdown().await;

    let tasker = recording(on_file(&path, "a\nb: a"), &ledger, &["a", "b"]).build().await.unwrap();
    assert_eq!(tasker.wait(id).await.unwrap().state, TaskState::Complete);
    tasker.shutdown().await;
}

#[tokio::test]
async fn two_workers_on_one_file_share_the_work_and_run_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let ledger = Ledger::default();
    let steps = "a\nb: a\nc: a\nd: b, c";
    let names = ["a", "b", "c", "d"];
    let one = recording(on_file(&path, steps), &ledger, &names).concurrency(2).build().await.unwrap();
    let other = recording(on_file(&path, steps), &ledger, &names).concurrency(2).build().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(one.create_task(new_task()).await.unwrap());
    }
    for id in ids {
        assert_eq!(other.wait(id).await.unwrap().state, TaskState::Complete);
    }
    assert_eq!(ledger.lines().len(), 160);
    assert!(ledger.lines().iter().all(|line| line.ends_with("#1")));
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn a_process_without_a_worker_creates_tasks_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let client = on_file(&path, "a").without_worker().build().await.unwrap();
    let id = client.create_task(new_task()).await.unwrap();
    let ledger = Ledger::default();
    let worker = recording(on_file(&path, "a"), &ledger, &["a"]).build().await.unwrap();
    assert_eq!(client.wait(id).await.unwrap().state, TaskState::Complete);
    assert_eq!(ledger.lines(), ["a#1"]);
    worker.shutdown().await;
}

#[tokio::test]
async fn the_claims_of_a_worker_are_orphaned_when_it_is_dead_and_not_before() {
    use tasker_store::conformance::{Shape, at, new, new_task, template};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (one, other) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    let worker = WorkerId::random();
    one.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    one.put_template(template()).await.unwrap();
    let request =
        ClaimRequest { worker, limit: 1, any: false, now: at(0), excluded: Arc::default(), namespaces: None };
    let claims = new(one.create_task(new_task(&Shape::diamond(), 0), request).await.unwrap()).claims;
    assert!(other.orphaned().await.unwrap().is_empty());
    drop(one);
    assert_eq!(other.orphaned().await.unwrap(), claims);
    other.release(claims, None, at(1)).await.unwrap();
    assert!(other.orphaned().await.unwrap().is_empty());
}

#[tokio::test]
async fn each_of_two_workers_runs_what_it_has_handlers_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (one_ledger, other_ledger) = (Ledger::default(), Ledger::default());
    let other_template = template("b").replace("name: flow", "name: other");
    let other = Tasker::builder()
        .only_listed_handlers()
        .template_str("other.yaml", &other_template)
        .store_url(format!("sqlite://{}", path.display()))
        .poll_interval(Duration::from_millis(20));
    let one = recording(on_file(&path, "a"), &one_ledger, &["a"]).build().await.unwrap();
    let other = recording(other, &other_ledger, &["b"]).build().await.unwrap();
    // A process that only creates leaves the tasks to whoever claims first.
    let client = on_file(&path, "a")
        .template_str("other.yaml", other_template)
        .without_worker()
        .build()
        .await
        .unwrap();
    let mut ids = Vec::new();
    for name in ["flow", "other"].into_iter().cycle().take(10) {
        ids.push(client.create_task(NewTask::new("test", name, &json!({}))).await.unwrap());
    }
    for id in ids {
        assert_eq!(client.wait(id).await.unwrap().state, TaskState::Complete);
    }
    assert_eq!(
        (one_ledger.lines(), other_ledger.lines()),
        (vec!["a#1".to_owned(); 5], vec!["b#1".to_owned(); 5])
    );
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn a_worker_leaves_the_steps_of_other_namespaces_alone() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (one_ledger, other_ledger) = (Ledger::default(), Ledger::default());
    let in_other = |steps| template(steps).replace("namespace_name: test", "namespace_name: other");
    let builder = || {
        let on = Tasker::builder().only_listed_handlers().shared_store(Arc::clone(&store));
        on.poll_interval(Duration::from_millis(20)).template_str("flow.yaml", template("a\nb: a"))
    };
    // It has the handlers of the other namespace's first step, and none for the second.
    let one = builder().template_str("other.yaml", in_other("a\nc: a")).namespaces(["test"]);
    let one = recording(one, &one_ledger, &["a", "b"]).build().await.unwrap();
    let other = NewTask::new("other", "flow", &json!({}));
    let mut others = vec![one.create_task(other.clone()).await.unwrap()];
    // This one it knows from the store alone.
    let client = builder().template_str("other.yaml", in_other("c")).without_worker().build().await.unwrap();
    others.push(client.create_task(other).await.unwrap());
    for _ in 0..5 {
        let id = one.create_task(new_task()).await.unwrap();
        assert_eq!(one.wait(id).await.unwrap().state, TaskState::Complete);
    }
    for id in &others {
        let task = one.get_task(*id).await.unwrap();
        assert!(task.steps.iter().all(|step| step.attempts.is_empty() && step.claimed_at.is_none()));
    }
    let all = recording(builder(), &other_ledger, &["a", "b", "c"]).build().await.unwrap();
    for id in others {
        assert_eq!(all.wait(id).await.unwrap().state, TaskState::Complete);
    }
    assert_eq!(one_ledger.lines(), ["a#1", "b#1"].repeat(5));
    let mut ran = other_ledger.lines();
    ran.sort();
    assert_eq!(ran, ["a#1", "c#1", "c#1"]);
    one.shutdown().await;
    all.shutdown().await;
}

#[tokio::test]
async fn a_task_whose_creator_stopped_waiting_is_run_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let tasker =
        recording(on_file(&directory.path().join("t.db"), "a"), &ledger, &["a"]).build().await.unwrap();
    // Polled once, which hands the work over, and then dropped: on one thread it cannot have ended yet.
    let mut creating = Box::pin(tasker.create_task(new_task()));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(creating.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    drop(creating);
    // What was begun is ended before the worker signs off.
    tasker.shutdown().await;
    let tasks = tasker.list(TaskFilter::default()).await.unwrap();
    let task = tasker.get_task(tasks[0].id).await.unwrap();
    assert!(matches!(task.steps[0].state, StepState::Ready | StepState::Complete), "{task:?}");
}

#[tokio::test]
async fn one_file_under_two_names_is_one_store() {
    use tasker_store::conformance::{at, new};
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("t.db"), directory.path().join("link.db"));
    let one = SqliteStore::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let other = SqliteStore::open(&link).unwrap();
    let worker = WorkerId::random();
    one.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    one.put_template(tasker_store::conformance::template()).await.unwrap();
    let request =
        ClaimRequest { worker, limit: 1, any: false, now: at(0), excluded: Arc::default(), namespaces: None };
    let record = tasker_store::conformance::new_task(&tasker_store::conformance::Shape::diamond(), 0);
    let claims = new(one.create_task(record, request).await.unwrap()).claims;
    assert!(other.orphaned().await.unwrap().is_empty());
    one.worker_died(worker);
    assert_eq!(other.orphaned().await.unwrap(), claims);
}

/// Refuses every third call that the engine makes by itself.
#[derive(Debug)]
struct Flaky {
    inner: MemoryStore,
    calls: AtomicUsize,
}

impl Flaky {
    fn before(&self) -> Result<(), StoreError> {
        match self.calls.fetch_add(1, Ordering::SeqCst) % 3 {
            2 => Err(StoreError::Closed),
            _ => Ok(()),
        }
    }
}

impl tasker_store::sealed::Sealed for Flaky {}

#[async_trait]
impl Store for Flaky {
    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.register_worker(worker, info, now).await
    }
    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        self.inner.workers().await
    }
    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        self.inner.program_of(worker).await
    }
    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.inner.retire_worker(worker).await
    }
    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        self.inner.put_template(template).await
    }
    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        self.inner.template(id).await
    }
    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        self.inner.template_ids().await
    }
    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.inner.create_task(task, claim).await
    }
    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        self.before()?;
        self.inner.claim(claim).await
    }
    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        self.before()?;
        self.inner.finish(attempt, claim).await
    }
    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.release(claims, due_at, now).await
    }
    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        self.inner.revoked(claims).await
    }
    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError> {
        self.inner.act(action).await
    }
    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        self.inner.prune(prune).await
    }
    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        self.inner.set_limit(limit).await
    }
    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        self.inner.remove_limit(scope).await
    }
    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        self.inner.limits().await
    }
    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        self.inner.permits(request).await
    }

    fn worker_died(&self, worker: WorkerId) {
        self.inner.worker_died(worker);
    }
    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        self.before()?;
        self.inner.orphaned().await
    }
    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[u32],
    ) -> Result<Option<TaskInputs>, StoreError> {
        self.before()?;
        self.inner.inputs(task, run, steps).await
    }
    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.inner.task(id).await
    }
    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        self.inner.glance(tasks).await
    }
    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        self.inner.tasks(filter).await
    }
    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        self.inner.facts(request).await
    }
    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        self.inner.inspect(repair).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_again_and_nothing_is_lost_or_repeated() {
    let ledger = Ledger::default();
    let builder = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("a\nb: a\nc: a\nd: b, c"))
        .store(Flaky { inner: MemoryStore::new(), calls: AtomicUsize::new(0) })
        .clock(Clock::paused(Timestamp::UNIX_EPOCH, 1));
    let tasker = recording(builder, &ledger, &["a", "b", "c", "d"]).build().await.unwrap();
    for _ in 0..10 {
        let id = tasker.create_task(new_task()).await.unwrap();
        assert_eq!(tasker.wait(id).await.unwrap().state, TaskState::Complete);
    }
    assert_eq!(ledger.lines().len(), 40);
    assert!(ledger.lines().iter().all(|line| line.ends_with("#1")));
    tasker.shutdown().await;
}
