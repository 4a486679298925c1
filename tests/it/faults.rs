//! What happens when …: the rows of the table in `docs/durability.md` that a running worker can meet.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use tasker_runtime::clock::Clock;
use tasker_runtime::error::chain;
use tasker_runtime::store::{MemoryStore, SqliteStore};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{NewTask, StepContext, StepResult, StepState, TaskFilter, TaskState, Tasker};
use tasker_store::Store;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::log::Log;
use crate::patience::{PATIENCE, within};
use crate::support::{Ledger, flow, new_task, on_file, recording, template, unreadable_task, virtual_time};

/// Larger than what is free in the pages that a file has.
fn large() -> String {
    "large ".repeat(20_000)
}

/// A task whose step `a` ends while the store refuses: nothing is acknowledged and nobody is told until
/// the store takes it.
async fn refused_for_a_while(
    path: &Path,
    begin: impl AsyncFnOnce(&SqliteStore),
    reason: &str,
    end: impl AsyncFnOnce(&SqliteStore),
) {
    let store = Arc::new(SqliteStore::open(path).unwrap());
    let (mut log, ledger) = (Log::listen(), Ledger::default());
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&go));
    let builder = on_file(path, "a\nb: a").shared_store(Arc::<SqliteStore>::clone(&store)).handler_fn(
        "a",
        move |_: StepContext| {
            let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
            async move {
                enter.notify_one();
                wait.notified().await;
                StepResult::Ok(large())
            }
        },
    );
    let tasker = recording(builder, &ledger, &["b"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;

    begin(&store).await;
    let other = NewTask::new("test", "flow", &json!({ "text": large() }));
    let error = chain(&tasker.create_task(other).await.unwrap_err());
    assert!(error.contains(&path.display().to_string()) && error.contains(reason), "{error}");
    go.notify_one();
    log.line(&["the store failed; trying again", &id.to_string(), reason]).await;
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!((task.state, task.steps[0].attempts.len()), (TaskState::InProgress, 0));
    assert!(ledger.lines().is_empty());

    end(&store).await;
    let task = tasker.wait(id).await.unwrap();
    assert_eq!((task.step_output::<String>("a").unwrap(), task.steps[0].attempts.len()), (large(), 1));
    assert_eq!(ledger.lines(), ["b#1"]);
    let listed = tasker.list(TaskFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
    tasker.shutdown().await;
}

#[tokio::test]
async fn what_a_full_disk_refuses_is_recorded_once_there_is_room() {
    const UNLIMITED: i64 = 4_294_967_294;
    let directory = tempfile::tempdir().unwrap();
    refused_for_a_while(
        &directory.path().join("t.db"),
        // No more pages than there are.
        async |store| store.set_pragma("max_page_count", 1).await.unwrap(),
        "database or disk is full",
        async |store| store.set_pragma("max_page_count", UNLIMITED).await.unwrap(),
    )
    .await;
}

#[tokio::test]
async fn what_a_lock_keeps_out_is_recorded_once_the_lock_is_released() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    drop(SqliteStore::open(&path).unwrap());
    let other = Connection::open(&path).unwrap();
    refused_for_a_while(
        &path,
        async |store| {
            store.set_pragma("busy_timeout", 10).await.unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
        },
        "is locked by another process",
        async |_| other.execute_batch("ROLLBACK").unwrap(),
    )
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_acknowledged_once_the_file_has_been_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let tasker = recording(on_file(&path, "a"), &Ledger::default(), &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(id).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = tasker.create_task(new_task()).await.unwrap_err().to_string();
    assert!(error.contains("t.db has been removed or replaced while it was in use"), "{error}");
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_damaged_file_is_told_and_not_asked_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let tasker = recording(on_file(&path, "a"), &Ledger::default(), &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(id).await.unwrap();
    tasker.shutdown().await;
    drop(tasker);
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page, which says what is where, stays.
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let onlooker = on_file(&path, "a").without_worker().build().await;
    let error = match onlooker {
        Err(error) => error.to_string(),
        Ok(tasker) => tasker.get_task(id).await.map(drop).unwrap_err().to_string(),
    };
    assert!(error.contains("t.db is damaged") && error.contains("restore it from a backup"), "{error}");
}

#[tokio::test]
async fn a_task_whose_state_cannot_be_read_is_left_out_of_lists() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let mut log = Log::listen();
    let tasker = recording(on_file(&path, "a"), &Ledger::default(), &["a"]).build().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = tasker.create_task(new_task()).await.unwrap();
        tasker.wait(id).await.unwrap();
        ids.push(id);
    }
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE task SET state = 'odd' WHERE id = ?1", [ids[1].0.as_bytes().as_slice()]).unwrap();
    let listed = tasker.list(TaskFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [ids[2], ids[0]]);
    log.line(&["a task cannot be read; it is left out of the list", &ids[1].to_string()]).await;
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_step_of_a_template_that_cannot_be_read_fails_and_frees_its_slot() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let id = unreadable_task(&*store).await;
    let ledger = Ledger::default();
    let builder =
        Tasker::builder().only_listed_handlers().template_str("flow.yaml", template("a")).concurrency(1);
    let tasker = recording(builder, &ledger, &["a"]).shared_store(Arc::clone(&store)).build().await.unwrap();
    let other = tasker.create_task(new_task()).await.unwrap();
    assert_eq!(tasker.wait(other).await.unwrap().state, TaskState::Complete);
    tasker.shutdown().await;
    let record = store.task(id).await.unwrap().unwrap();
    assert_eq!((record.head.state, record.steps[0].state), (TaskState::BlockedByFailures, StepState::Error));
    assert_eq!(record.attempts[0].error.as_ref().unwrap().code.as_deref(), Some("UNREADABLE"));
}

#[test]
fn a_panic_fails_its_attempt_and_the_others_go_on() {
    let run = flow("breaks | retry: {max_attempts: 2}\nother\nafter: other")
        .replace("breaks", |context: StepContext| async move {
            assert!(context.attempt() > 1, "the first attempt breaks");
            StepResult::Ok(())
        })
        .returns("other", &())
        .returns("after", &())
        .run_blocking(json!({}));
    run.assert_complete();
    assert_eq!(run.order(), ["breaks#1", "other#1", "after#1", "breaks#2"]);
    let first = &run.attempts("breaks")[0];
    assert_eq!(first.outcome, AttemptOutcome::Panicked);
    let error = first.error.as_ref().unwrap().to_string();
    assert_eq!(error, "the handler panicked: the first attempt breaks [PANIC]");
}

#[test]
fn a_handler_that_never_ends_is_ended_after_its_limit_or_half_a_minute() {
    let endless = |_: StepContext| std::future::pending::<StepResult<()>>();
    let run = flow("own | timeout_seconds: 5, retry: {max_attempts: 1}\ndefault | retry: {max_attempts: 1}")
        .replace("own", endless)
        .replace("default", endless)
        .run_blocking(json!({}));
    for (step, limit) in [("own", 5), ("default", 30)] {
        assert_eq!(run.assert_failed(step).code.as_deref(), Some("TIMEOUT"));
        let attempt = &run.attempts(step)[0];
        assert_eq!(attempt.outcome, AttemptOutcome::TimedOut);
        assert_eq!(attempt.finished_at.duration_since(attempt.started_at).as_secs(), limit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_holds_up_nobody_else_and_answers_late() {
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, blocked) = (Arc::new(Notify::new()), Arc::new(Mutex::new(blocked)));
    let enter = Arc::clone(&entered);
    let tasker = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("blocks"))
        .template_str(
            "other.yaml",
            template("quick\nendless: quick | retry: {max_attempts: 1}").replace("name: flow", "name: other"),
        )
        .store_url("memory:")
        .step_timeout(Duration::from_millis(20))
        .handler_fn("blocks", move |_: StepContext| {
            let (enter, blocked) = (Arc::clone(&enter), Arc::clone(&blocked));
            async move {
                enter.notify_one();
                blocked.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                StepResult::Ok(())
            }
        })
        .handler_fn("quick", |_: StepContext| async { StepResult::Ok(()) })
        .handler_fn("endless", |_: StepContext| std::future::pending::<StepResult<()>>())
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    let other = tasker.create_task(NewTask::new("test", "other", &json!({}))).await.unwrap();
    tasker.wait(other).await.unwrap_err();
    let task = tasker.get_task(other).await.unwrap();
    assert_eq!(task.step("quick").unwrap().state, StepState::Complete);
    assert_eq!(task.step("endless").unwrap().attempts[0].outcome, AttemptOutcome::TimedOut);
    // The time of the one that blocks was over before that of the other.
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!((task.steps[0].state, task.steps[0].attempts.len()), (StepState::InProgress, 0));

    release.send(()).unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.steps[0].attempts[0].outcome, AttemptOutcome::Complete);
    tasker.shutdown().await;
}

#[tokio::test]
async fn steps_that_nobody_can_run_are_told_once_and_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (mut log, ledger) = (Log::listen(), Ledger::default());
    let client = on_file(&path, "forlorn").without_worker().build().await.unwrap();
    let ids = [client.create_task(new_task()).await.unwrap(), client.create_task(new_task()).await.unwrap()];
    let worker = recording(on_file(&path, "a"), &ledger, &["a"]).build().await.unwrap();
    log.line(&["steps are due that no handler of this program can run", "forlorn"]).await;
    let own = worker.create_task(new_task()).await.unwrap();
    worker.wait(own).await.unwrap();
    worker.shutdown().await;
    assert!(log.is_silent_about("forlorn"));
    let worker = recording(on_file(&path, "forlorn"), &ledger, &["forlorn"]).build().await.unwrap();
    for id in ids {
        worker.wait(id).await.unwrap();
    }
    assert_eq!(ledger.lines(), ["a#1", "forlorn#1", "forlorn#1"]);
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_clock_is_set_back_only_what_waits_for_a_time_waits() {
    const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);
    const HOUR: Duration = Duration::from_secs(3_600);
    let store = Arc::new(MemoryStore::new());
    let at = |time| {
        let builder = virtual_time("a").clock(Clock::paused(time, 1));
        recording(builder.shared_store(Arc::<MemoryStore>::clone(&store)), &Ledger::default(), &["a"])
    };
    let client = at(NOON).without_worker().build().await.unwrap();
    let ready = client.create_task(new_task()).await.unwrap();
    let later = client.create_task(new_task().run_at(NOON + HOUR)).await.unwrap();
    let worker = at(NOON - HOUR).build().await.unwrap();
    let begun = Instant::now();
    worker.wait(ready).await.unwrap();
    assert!(begun.elapsed() < HOUR);
    worker.wait(later).await.unwrap();
    assert!(begun.elapsed() >= 2 * HOUR);
    worker.shutdown().await;
}
