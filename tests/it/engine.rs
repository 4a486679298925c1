//! What the engine promises, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::testing::TestRun;
use tasker_runtime::{
    Error, NewTask, StepContext, StepError, StepResult, StepState, Task, TaskFilter, TaskState,
};

use crate::support::{Ledger, ended, flow, new_task, recording, run, virtual_time};

/// The pauses between the attempts of a step, in milliseconds.
fn pauses(run: &TestRun, step: &str) -> Vec<i64> {
    let pairs = run.attempts(step).windows(2);
    pairs
        .map(|pair| pair[1].started_at.duration_since(pair[0].finished_at).as_millis().try_into().unwrap())
        .collect()
}

#[track_caller]
fn assert_about(pauses: &[i64], plain: &[i64]) {
    assert_eq!(pauses.len(), plain.len(), "{pauses:?}");
    for (pause, plain) in pauses.iter().zip(plain) {
        // Jitter adds at most a tenth; timers add a millisecond or two.
        assert!((*plain..=plain + plain / 10 + 3).contains(pause), "{pauses:?} for {plain:?}");
    }
}

fn always_failing(retry: &str) -> TestRun {
    flow(&format!("a | retry: {{{retry}}}"))
        .replace("a", |_: StepContext| async { StepResult::<()>::Err(StepError::retryable("no luck")) })
        .run_blocking(json!({}))
}

#[test]
fn retries_wait_as_the_template_says() {
    let run = always_failing("max_attempts: 5, backoff: exponential, initial_delay: 2, max_delay: 10");
    assert_about(&pauses(&run, "a"), &[2_000, 4_000, 8_000, 10_000]);
    let run = always_failing("max_attempts: 4, backoff: linear, backoff_base_ms: 300");
    assert_about(&pauses(&run, "a"), &[300, 600, 900]);
    let run = always_failing("max_attempts: 6, backoff: fibonacci, initial_delay: 60, max_delay: 3600");
    assert_about(&pauses(&run, "a"), &[60_000, 60_000, 120_000, 180_000, 300_000]);
    let run = always_failing("max_attempts: 5, backoff_base_ms: 50, max_backoff_ms: 300");
    assert_about(&pauses(&run, "a"), &[50, 100, 200, 300]);
    let run = always_failing("max_attempts: 3, backoff: none");
    assert_about(&pauses(&run, "a"), &[0, 0]);
}

#[test]
fn attempts_end_at_the_limit() {
    for (retry, attempts) in
        [("max_attempts: 3", 3), ("max_attempts: 3, retryable: false", 1), ("max_attempts: 0", 1)]
    {
        let run = always_failing(retry);
        run.assert_failed("a");
        assert_eq!((run.task().state, run.attempts("a").len()), (TaskState::BlockedByFailures, attempts));
    }
}

#[test]
fn a_step_that_recovers_completes_the_task() {
    let run = flow("a | retry: {max_attempts: 3}\nb: a")
        .fails("a", [StepError::retryable("not yet"), StepError::retryable("not yet")])
        .replace("a", |context: StepContext| async move { StepResult::Ok(context.max_attempts()) })
        .returns("b", &())
        .run_blocking(json!({}));
    run.assert_complete();
    let outcomes: Vec<_> = run.attempts("a").iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Failed, AttemptOutcome::Failed, AttemptOutcome::Complete]);
    assert_eq!(run.step_output::<u32>("a"), 3);
}

#[test]
fn what_a_handler_asks_for_wins_over_the_policy() {
    let run = flow("a | retry: {max_attempts: 2, initial_delay: 2}")
        .fails("a", [StepError::retryable("429").with_retry_after(Duration::from_secs(45))])
        .returns("a", &())
        .run_blocking(json!({}));
    let pause = pauses(&run, "a")[0];
    assert!((45_000..=45_003).contains(&pause), "{pause}");
}

#[test]
fn a_permanent_error_is_final_at_once() {
    let gone = StepError::permanent("no such user").with_code("GONE").with_context(json!({ "id": 7 }));
    let run = flow("a").fails("a", [gone]).returns("a", &()).run_blocking(json!({}));
    let error = run.assert_failed("a");
    assert_eq!(
        (error.to_string().as_str(), error.context.as_ref().unwrap()),
        ("no such user [GONE]", &json!({"id": 7}))
    );
    assert_eq!(run.attempts("a").len(), 1);
}

#[test]
fn an_attempt_that_takes_too_long_is_ended_and_tried_again() {
    let run = flow("a | timeout_seconds: 5, retry: {max_attempts: 2}")
        .replace("a", |context: StepContext| async move {
            if context.attempt() == 1 {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            StepResult::Ok(())
        })
        .run_blocking(json!({}));
    run.assert_complete();
    let first = &run.attempts("a")[0];
    assert_eq!(first.outcome, AttemptOutcome::TimedOut);
    assert_eq!(first.finished_at.duration_since(first.started_at).as_secs(), 5);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the destructor breaks");
    }
}

#[test]
fn a_destructor_that_panics_at_a_timeout_does_not_lose_the_step() {
    let run = flow("a | timeout_seconds: 5, retry: {max_attempts: 2}")
        .replace("a", |context: StepContext| async move {
            let bomb = (context.attempt() == 1).then(|| Bomb);
            if bomb.is_some() {
                std::future::pending::<()>().await;
            }
            StepResult::Ok(())
        })
        .run_blocking(json!({}));
    run.assert_complete();
    assert_eq!(run.attempts("a")[0].outcome, AttemptOutcome::TimedOut);
}

/// An error whose text cannot be had.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_that_panics_when_it_is_told_is_a_panic_of_the_handler() {
    let run = flow("a | retry: {max_attempts: 1}")
        .replace("a", |_: StepContext| async { StepResult::<()>::Err(StepError::retryable(Unspeakable)) })
        .run_blocking(json!({}));
    assert_eq!(run.assert_failed("a").to_string(), "the handler panicked: no words [PANIC]");
    assert_eq!(run.attempts("a")[0].outcome, AttemptOutcome::Panicked);
}

#[test]
fn a_join_reads_a_branch_and_that_branchs_own_ancestor() {
    let steps = "account\nbilling: account\npreferences: account\nwelcome: billing, preferences, account\nstatus: welcome";
    let run = flow(steps)
        .returns("account", "A")
        .returns("billing", "B")
        .returns("preferences", "P")
        .replace("welcome", |context: StepContext| async move {
            let read = ["account", "billing", "preferences"].map(|step| context.dependency::<String>(step));
            read.into_iter().collect::<StepResult<Vec<_>>>()
        })
        .replace("status", |context: StepContext| async move { context.dependency::<String>("account") })
        .run_blocking(json!({}));
    assert_eq!(run.step_output::<Vec<String>>("welcome"), ["A", "B", "P"]);
    assert_eq!(run.step_output::<String>("status"), "A");
    assert_eq!(run.order().len(), 5);
}

#[test]
fn a_failed_branch_does_not_stop_the_others() {
    let run = flow("a\nbad: a\ngood: a\nafter: good\njoin: bad, after")
        .replace("bad", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("broken")) })
        .returns("a", &())
        .returns("good", &())
        .returns("after", &())
        .returns("join", &())
        .run_blocking(json!({}));
    assert_eq!(run.task().state, TaskState::BlockedByFailures);
    let states: Vec<_> = run.task().steps.iter().map(|step| step.state).collect();
    use StepState::{Complete, Error as Failed, Pending};
    assert_eq!(states, [Complete, Failed, Complete, Complete, Pending]);
    assert_eq!(run.order().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_step_handler_attempts_and_reason() {
    let tasker = virtual_time("a | retry: {max_attempts: 2}")
        .handler_fn("a", |_: StepContext| async {
            StepResult::<()>::Err(StepError::retryable("no luck").with_code("X"))
        })
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let Err(Error::Failed(failure)) = tasker.wait(id).await else { panic!() };
    let expected = format!(
        "task {id} (test/flow) is blocked_by_failures; step `a` (handler `a`) failed after 2 attempts: no luck [X]"
    );
    assert_eq!(failure.to_string(), expected);
    tasker.shutdown().await;
}

#[test]
fn branches_run_at_the_same_time() {
    let slow = |context: StepContext| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        StepResult::Ok(context.attempt())
    };
    let engine = flow("a\nb\nc: a, b").replace("a", slow).replace("b", slow).replace("c", slow);
    assert_eq!(engine.run_blocking(json!({})).elapsed().as_secs(), 20);
}

#[test]
fn no_more_attempts_than_slots_and_all_of_a_wide_fan_out_runs() {
    let steps: String = (0..200).map(|number| format!("s{number}: start\n")).collect();
    let mut engine =
        flow(&format!("start\n{steps}")).configure(|builder| builder.concurrency(7)).returns("start", &());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for number in 0..200 {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        engine = engine.replace(format!("s{number}").as_str(), move |_: StepContext| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                StepResult::Ok(())
            }
        });
    }
    engine.run_blocking(json!({})).assert_complete();
    assert_eq!(most.load(Ordering::SeqCst), 7);
}

#[tokio::test(start_paused = true)]
async fn many_tasks_share_few_slots() {
    let ledger = Ledger::default();
    let builder = virtual_time("a\nb: a\nc: a\nd: b, c").concurrency(3);
    let tasker = recording(builder, &ledger, &["a", "b", "c", "d"]).build().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(tasker.create_task(new_task()).await.unwrap());
    }
    for id in ids {
        assert_eq!(ended(tasker.wait(id).await).state, TaskState::Complete);
    }
    assert_eq!(ledger.lines().len(), 400);
    tasker.shutdown().await;
}

/// Shuts down while the first step of a task is running, and looks at the task.
async fn shut_down_after_a_second(builder: tasker_runtime::Builder) -> Task {
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tasker.shutdown().await;
    tasker.get_task(id).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_running_handlers() {
    let builder = virtual_time("a\nb: a").handler_fn("a", |context: StepContext| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        StepResult::Ok(context.is_cancelled())
    });
    let ledger = Ledger::default();
    let task = shut_down_after_a_second(recording(builder, &ledger, &["b"])).await;
    // It was told, it ended, its result is kept, and what follows is left for the next worker.
    assert!(task.step_output::<bool>("a").unwrap());
    assert_eq!((task.step("b").unwrap().state, ledger.lines().len()), (StepState::Ready, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hands_back_what_does_not_end_in_time() {
    let builder = virtual_time("a\nb")
        .concurrency(1)
        .grace_period(Duration::from_secs(2))
        .handler_fn("a", |_: StepContext| std::future::pending::<StepResult<()>>())
        .handler_fn("b", |_: StepContext| std::future::pending::<StepResult<()>>());
    let task = shut_down_after_a_second(builder).await;
    for step in &task.steps {
        assert_eq!((step.state, step.attempts.len()), (StepState::Ready, 0), "{}", step.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_gives_up_at_a_shutdown_is_not_blamed() {
    let builder = virtual_time("a").handler_fn("a", |context: StepContext| async move {
        context.cancelled().await;
        StepResult::<()>::Err(StepError::retryable("interrupted"))
    });
    let task = shut_down_after_a_second(builder).await;
    let step = &task.steps[0];
    assert_eq!((step.state, step.attempts.len()), (StepState::Ready, 0));
}

#[tokio::test(start_paused = true)]
async fn a_context_says_where_it_is() {
    let builder =
        virtual_time("a | retry: {max_attempts: 4}").handler_fn("a", |context: StepContext| async move {
            let template = context.template();
            let facts = json!({
                "template": format!("{}/{}", template.namespace, template.name),
                "step": context.step_name(),
                "attempt": context.attempt(),
                "max": context.max_attempts(),
                "last": context.is_last_attempt(),
                "key": context.idempotency_key() == format!("{}/a", context.task_id()),
                "correlation": context.correlation_id(),
            });
            StepResult::Ok(facts)
        });
    let tasker = builder.build().await.unwrap();
    let correlation = uuid::Uuid::now_v7();
    let id = tasker
        .create_task(NewTask::new("test", "flow", &json!({})).correlation_id(correlation))
        .await
        .unwrap();
    let facts: serde_json::Value = tasker.wait(id).await.unwrap().step_output("a").unwrap();
    assert_eq!(
        facts,
        json!({
            "template": "test/flow", "step": "a", "attempt": 1, "max": 4, "last": false, "key": true,
            "correlation": correlation,
        })
    );
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_created_says_why() {
    let tasker = recording(virtual_time("a"), &Ledger::default(), &["a"]).build().await.unwrap();
    let create = async |task| tasker.create_task(task).await.unwrap_err().to_string();
    assert_eq!(
        create(NewTask::new("test", "flwo", &json!({}))).await,
        "there is no template `test/flwo`; did you mean `test/flow`?"
    );
    assert_eq!(
        create(NewTask::new("test", "flow", &json!({})).version("2.0.0")).await,
        "there is no template `test/flow/2.0.0`; `test/flow` has version 1.0.0"
    );
    assert_eq!(
        create(NewTask::new("test", "flow", &json!([1]))).await,
        "the context of a task must be a JSON object: it is `[1]`"
    );
    assert!(tasker.list(TaskFilter::default()).await.unwrap().is_empty());
    let unknown = tasker_runtime::TaskId::random();
    assert_eq!(tasker.wait(unknown).await.unwrap_err().to_string(), format!("there is no task {unknown}"));
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn several_waiters_are_all_told() {
    let tasker = recording(virtual_time("a"), &Ledger::default(), &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let (one, other) = tokio::join!(tasker.wait(id), tasker.wait(id));
    assert_eq!((one.unwrap().state, other.unwrap().state), (TaskState::Complete, TaskState::Complete));
    assert_eq!(run(&tasker, &json!({})).await.state, TaskState::Complete);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_waiting_and_creating() {
    let tasker = virtual_time("a")
        .grace_period(Duration::from_secs(1))
        .handler_fn("a", |_: StepContext| std::future::pending::<StepResult<()>>())
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let (waited, ()) = tokio::join!(tasker.wait(id), tasker.shutdown());
    assert!(matches!(waited, Err(Error::ShutDown)), "{waited:?}");
    let created = tasker.create_task(new_task()).await;
    assert!(matches!(created, Err(Error::ShutDown)), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_counts_also_while_the_worker_leaves() {
    let builder = virtual_time("a").handler_fn("a", |context: StepContext| async move {
        context.cancelled().await;
        StepResult::<()>::Err(StepError::permanent("declined"))
    });
    let task = shut_down_after_a_second(builder).await;
    assert_eq!(task.steps[0].state, StepState::Error);
}
