//! What the engine promises, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker_runtime::{
    AttemptOutcome, Error, NewTask, StepContext, StepError, StepResult, StepState, Task, TaskFilter,
    TaskState,
};

use crate::support::{Ledger, ended, recording, run, run_once, virtual_time};

/// The pauses between the attempts of a step, in milliseconds.
fn pauses(task: &Task, step: &str) -> Vec<i64> {
    let attempts = &task.step(step).unwrap().attempts;
    attempts
        .windows(2)
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

async fn always_failing(retry: &str) -> Task {
    let builder = virtual_time(&format!("a | retry: {{{retry}}}"))
        .handler_fn("a", |_: StepContext| async { StepResult::<()>::Err(StepError::retryable("no luck")) });
    run_once(builder).await
}

#[tokio::test(start_paused = true)]
async fn retries_wait_as_the_template_says() {
    let task = always_failing("max_attempts: 5, backoff: exponential, initial_delay: 2, max_delay: 10").await;
    assert_about(&pauses(&task, "a"), &[2_000, 4_000, 8_000, 10_000]);
    let task = always_failing("max_attempts: 4, backoff: linear, backoff_base_ms: 300").await;
    assert_about(&pauses(&task, "a"), &[300, 600, 900]);
    let task =
        always_failing("max_attempts: 6, backoff: fibonacci, initial_delay: 60, max_delay: 3600").await;
    assert_about(&pauses(&task, "a"), &[60_000, 60_000, 120_000, 180_000, 300_000]);
    let task = always_failing("max_attempts: 3, backoff: none").await;
    assert_about(&pauses(&task, "a"), &[0, 0]);
}

#[tokio::test(start_paused = true)]
async fn attempts_end_at_the_limit() {
    let task = always_failing("max_attempts: 3").await;
    let step = task.step("a").unwrap();
    assert_eq!((step.state, step.attempts.len()), (StepState::Error, 3));
    assert_eq!(task.state, TaskState::BlockedByFailures);
    let task = always_failing("max_attempts: 3, retryable: false").await;
    assert_eq!(task.step("a").unwrap().attempts.len(), 1);
    let task = always_failing("max_attempts: 0").await;
    assert_eq!(task.step("a").unwrap().attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_recovers_completes_the_task() {
    let builder = virtual_time("a | retry: {max_attempts: 3}\nb: a").handler_fn(
        "a",
        |context: StepContext| async move {
            match context.attempt() {
                3 => Ok(context.max_attempts()),
                _ => Err(StepError::retryable("not yet")),
            }
        },
    );
    let task = run_once(recording(builder, &Ledger::default(), &["b"])).await;
    assert_eq!(task.state, TaskState::Complete);
    let outcomes: Vec<_> = task.step("a").unwrap().attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Failed, AttemptOutcome::Failed, AttemptOutcome::Complete]);
    assert_eq!(task.step_output::<u32>("a").unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_asks_for_wins_over_the_policy() {
    let builder = virtual_time("a | retry: {max_attempts: 2, initial_delay: 2}").handler_fn(
        "a",
        |context: StepContext| async move {
            let busy = StepError::retryable("429").retry_after(Duration::from_secs(45));
            if context.attempt() == 1 { Err(busy) } else { Ok(()) }
        },
    );
    let task = run_once(builder).await;
    let pause = pauses(&task, "a")[0];
    assert!((45_000..=45_003).contains(&pause), "{pause}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_final_at_once() {
    let builder = virtual_time("a").handler_fn("a", |_: StepContext| async {
        StepResult::<()>::Err(StepError::permanent("no such user").code("GONE").context(json!({"id": 7})))
    });
    let task = run_once(builder).await;
    let step = task.step("a").unwrap();
    assert_eq!(step.attempts.len(), 1);
    let error = step.error().unwrap();
    assert_eq!(
        (error.to_string().as_str(), error.context.as_ref().unwrap()),
        ("no such user [GONE]", &json!({"id": 7}))
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_ended_and_tried_again() {
    let builder = virtual_time("a | timeout_seconds: 5, retry: {max_attempts: 2}").handler_fn(
        "a",
        |context: StepContext| async move {
            if context.attempt() == 1 {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            StepResult::Ok(())
        },
    );
    let task = run_once(builder).await;
    let first = &task.step("a").unwrap().attempts[0];
    assert_eq!(first.outcome, AttemptOutcome::TimedOut);
    let took = first.finished_at.duration_since(first.started_at).as_secs();
    assert_eq!(took, 5);
    assert_eq!(task.state, TaskState::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt_with_its_message() {
    let builder =
        virtual_time("a | retry: {max_attempts: 2}").handler_fn("a", |context: StepContext| async move {
            assert!(context.attempt() > 1, "the first attempt breaks");
            StepResult::Ok(())
        });
    let task = run_once(builder).await;
    let first = &task.step("a").unwrap().attempts[0];
    assert_eq!(first.outcome, AttemptOutcome::Panicked);
    assert_eq!(
        first.error.as_ref().unwrap().to_string(),
        "the handler panicked: the first attempt breaks [PANIC]"
    );
    assert_eq!(task.state, TaskState::Complete);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the destructor breaks");
    }
}

#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_at_a_timeout_does_not_lose_the_step() {
    let builder = virtual_time("a | timeout_seconds: 5, retry: {max_attempts: 2}").handler_fn(
        "a",
        |context: StepContext| async move {
            let bomb = (context.attempt() == 1).then(|| Bomb);
            if bomb.is_some() {
                std::future::pending::<()>().await;
            }
            StepResult::Ok(())
        },
    );
    let task = run_once(builder).await;
    assert_eq!(task.state, TaskState::Complete);
    assert_eq!(task.steps[0].attempts[0].outcome, AttemptOutcome::TimedOut);
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

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_told_is_a_panic_of_the_handler() {
    let builder = virtual_time("a | retry: {max_attempts: 1}")
        .handler_fn("a", |_: StepContext| async { StepResult::<()>::Err(StepError::retryable(Unspeakable)) });
    let task = run_once(builder).await;
    assert_eq!(task.steps[0].attempts[0].outcome, AttemptOutcome::Panicked);
    assert_eq!(task.steps[0].error().unwrap().to_string(), "the handler panicked: no words [PANIC]");
}

#[tokio::test(start_paused = true)]
async fn a_join_reads_a_branch_and_that_branchs_own_ancestor() {
    let builder = virtual_time("account\nbilling: account\npreferences: account\nwelcome: billing, preferences, account\nstatus: welcome")
        .handler_fn("welcome", |context: StepContext| async move {
            let read = ["account", "billing", "preferences"].map(|step| context.dependency::<String>(step));
            read.into_iter().collect::<StepResult<Vec<_>>>()
        })
        .handler_fn("status", |context: StepContext| async move { context.dependency::<String>("account") });
    let ledger = Ledger::default();
    let task = run_once(recording(builder, &ledger, &["account", "billing", "preferences"])).await;
    assert_eq!(task.step_output::<Vec<String>>("welcome").unwrap(), ["account", "billing", "preferences"]);
    assert_eq!(task.step_output::<String>("status").unwrap(), "account");
    assert_eq!(ledger.lines().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_branch_does_not_stop_the_others() {
    let builder = virtual_time("a\nbad: a\ngood: a\nafter: good\njoin: bad, after")
        .handler_fn("bad", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("broken")) });
    let ledger = Ledger::default();
    let task = run_once(recording(builder, &ledger, &["a", "good", "after", "join"])).await;
    assert_eq!(task.state, TaskState::BlockedByFailures);
    let states: Vec<_> = task.steps.iter().map(|step| step.state).collect();
    use StepState::{Complete, Error as Failed, Pending};
    assert_eq!(states, [Complete, Failed, Complete, Complete, Pending]);
    assert!(!ledger.lines().contains(&"join#1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_step_handler_attempts_and_reason() {
    let tasker = virtual_time("a | retry: {max_attempts: 2}")
        .handler_fn("a", |_: StepContext| async {
            StepResult::<()>::Err(StepError::retryable("no luck").code("X"))
        })
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
    let Err(Error::Failed(failure)) = tasker.wait(id).await else { panic!() };
    let expected = format!(
        "task {id} (test/flow) is blocked_by_failures; step `a` (handler `a`) failed after 2 attempts: no luck [X]"
    );
    assert_eq!(failure.to_string(), expected);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn branches_run_at_the_same_time() {
    let slow = |context: StepContext| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        StepResult::Ok(context.attempt())
    };
    let task = run_once(
        virtual_time("a\nb\nc: a, b").handler_fn("a", slow).handler_fn("b", slow).handler_fn("c", slow),
    )
    .await;
    let took = task.settled_at.unwrap().duration_since(task.created_at).as_secs();
    assert_eq!(took, 20);
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_than_slots_and_all_of_a_wide_fan_out_runs() {
    let steps: String = (0..200).map(|number| format!("s{number}: start\n")).collect();
    let mut builder = virtual_time(&format!("start\n{steps}")).concurrency(7);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for number in 0..200 {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        builder = builder.handler_fn(&format!("s{number}"), move |_: StepContext| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                StepResult::Ok(())
            }
        });
    }
    let task = run_once(recording(builder, &Ledger::default(), &["start"])).await;
    assert_eq!(task.state, TaskState::Complete);
    assert_eq!(most.load(Ordering::SeqCst), 7);
}

#[tokio::test(start_paused = true)]
async fn many_tasks_share_few_slots() {
    let ledger = Ledger::default();
    let builder = virtual_time("a\nb: a\nc: a\nd: b, c").concurrency(3);
    let tasker = recording(builder, &ledger, &["a", "b", "c", "d"]).build().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap());
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
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
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
        "there is no template `test/flow/2.0.0`; did you mean `test/flow/1.0.0`?"
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
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
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
    let id = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap();
    let (waited, ()) = tokio::join!(tasker.wait(id), tasker.shutdown());
    assert!(matches!(waited, Err(Error::ShutDown)), "{waited:?}");
    let created = tasker.create_task(NewTask::new("test", "flow", &json!({}))).await;
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
