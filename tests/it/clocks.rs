//! On PostgreSQL all times go by the database's clock: workers and clients whose machines are two hours ahead and
//! two hours behind agree on what is due, old, stale, and dead.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tasker_runtime::clock::Clock;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{Builder, NewTask, StepContext, StepError, StepResult, Task, TaskFilter, Tasker};
use tokio::sync::Notify;

use crate::patience::within;
use crate::postgres::Schema;
use crate::support::{new_task, on_store};

const AHEAD: SignedDuration = SignedDuration::from_hours(2);
const BEHIND: SignedDuration = SignedDuration::from_hours(-2);

/// A runtime on a machine whose clock is off.
fn off_by(off: SignedDuration, schema: &Schema) -> Builder {
    on_store(&schema.url_with("lease=1"), "a").clock(Clock::system_off_by(off))
}

async fn worker(off: SignedDuration, schema: &Schema) -> Tasker {
    off_by(off, schema).handler_fn("a", |_: StepContext| async { StepResult::Ok(1) }).build().await.unwrap()
}

async fn client(off: SignedDuration, schema: &Schema) -> Tasker {
    off_by(off, schema).without_worker().build().await.unwrap()
}

/// All times of the task are the database's, which is on this machine: no test takes an hour.
#[track_caller]
fn has_times_of_the_database(task: &Task) {
    let attempts = task.steps.iter().flat_map(|step| &step.attempts);
    let times = attempts.flat_map(|attempt| [attempt.started_at, attempt.finished_at]);
    for time in times.chain([task.created_at]).chain(task.settled_at) {
        assert!(time.duration_since(Timestamp::now()).abs() < SignedDuration::from_hours(1), "{task:#?}");
    }
}

#[tokio::test]
async fn a_retry_is_due_for_all_workers_at_the_same_time() {
    for (first, second) in [(AHEAD, BEHIND), (BEHIND, AHEAD)] {
        let schema = Schema::new();
        let fails = |_: StepContext| async {
            let delay = Duration::from_millis(300);
            StepResult::<()>::Err(StepError::retryable("not yet").with_retry_after(delay))
        };
        let one = off_by(first, &schema).handler_fn("a", fails).build().await.unwrap();
        let mut events = one.subscribe();
        let id = one.create_task(new_task()).await.unwrap();
        let failed = async { while !format!("{:?}", events.next().await).contains("not yet") {} };
        within("a failed attempt", failed).await;
        one.shutdown().await;
        let other = worker(second, &schema).await;
        let task = within("the retry", other.wait(id)).await.unwrap();
        has_times_of_the_database(&task);
        // A clock is measured to a few milliseconds.
        let attempts = &task.step("a").unwrap().attempts;
        let last = attempts.last().unwrap().started_at;
        let pause = last.duration_since(attempts[0].finished_at);
        assert!(pause > SignedDuration::from_millis(200), "{pause}");
        other.shutdown().await;
    }
}

#[tokio::test]
async fn a_task_begins_at_its_time() {
    for off in [AHEAD, BEHIND] {
        let schema = Schema::new();
        let worker = worker(off, &schema).await;
        let delay = Duration::from_millis(700);
        for new in [|at, _| new_task().run_at(at), |_, delay| new_task().run_in(delay)] {
            let new: fn(Timestamp, Duration) -> NewTask = new;
            let run_at = Timestamp::now() + delay;
            let id = worker.create_task(new(run_at, delay)).await.unwrap();
            let task = within("the task", worker.wait(id)).await.unwrap();
            has_times_of_the_database(&task);
            let began = task.step("a").unwrap().attempts[0].started_at;
            assert!(
                began.duration_since(run_at) > SignedDuration::from_millis(-200),
                "{began}, not {run_at}"
            );
        }
        worker.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_old_or_stale_is_so_by_the_database() {
    let schema = Schema::new();
    let (ahead, behind) = (client(AHEAD, &schema).await, client(BEHIND, &schema).await);
    let first = behind.create_task(new_task()).await.unwrap();
    let ages = ahead.task_ages(TaskFilter::new()).await.unwrap();
    assert_eq!(ages.iter().map(|age| (age.task, age.minutes)).collect::<Vec<_>>(), [(first, 0)]);
    let worker = worker(BEHIND, &schema).await;
    within("the task", worker.wait(first)).await.unwrap();
    worker.shutdown().await;
    assert_eq!(ahead.prune(Duration::from_secs(3_600), 10).await.unwrap(), 0);
    // What has just settled is not younger than nothing.
    let pruned = async { while behind.prune(Duration::ZERO, 10).await.unwrap() == 0 {} };
    within("a task that is pruned", pruned).await;
    ahead.shutdown().await;
    behind.shutdown().await;
}

#[tokio::test]
async fn a_lease_runs_out_by_the_database() {
    for (dies, takes_over) in [(AHEAD, BEHIND), (BEHIND, AHEAD)] {
        let schema = Schema::new();
        let begun = Arc::new(Notify::new());
        let begins = Arc::clone(&begun);
        let hangs = move |_: StepContext| {
            begins.notify_one();
            std::future::pending::<StepResult<()>>()
        };
        // On a runtime of its own, all of which stops at once: nothing is handed back, and no heartbeat follows.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let builder = off_by(dies, &schema).handler_fn("a", hangs);
        let first = runtime.spawn(async move {
            let one = builder.build().await.unwrap();
            let id = one.create_task(new_task()).await.unwrap();
            within("the first attempt", begun.notified()).await;
            std::mem::forget(one);
            id
        });
        let id = first.await.unwrap();
        runtime.shutdown_background();
        let other = worker(takes_over, &schema).await;
        let task = within("the task", other.wait(id)).await.unwrap();
        has_times_of_the_database(&task);
        assert_eq!(task.step("a").unwrap().attempts[0].outcome, AttemptOutcome::Crashed);
        other.shutdown().await;
    }
}

#[tokio::test]
async fn starts_under_a_rate_are_spaced_by_the_database() {
    let schema = Schema::new();
    let (ahead, behind) = (worker(AHEAD, &schema).await, worker(BEHIND, &schema).await);
    let scope = LimitScope::Callable("a".to_owned());
    ahead.set_limit(FleetLimit::new(scope).rate("20/s".parse().unwrap())).await.unwrap();
    for number in 0..6 {
        let by = if number % 2 == 0 { &ahead } else { &behind };
        let id = by.create_task(NewTask::new("test", "flow", &json!({ "number": number }))).await.unwrap();
        has_times_of_the_database(&within("a start", behind.wait(id)).await.unwrap());
    }
    ahead.shutdown().await;
    behind.shutdown().await;
}
