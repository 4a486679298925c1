//! What operators do to tasks, through the API, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::ToSpan as _;
use serde_json::json;
use tasker_runtime::operate::{DeadLetterFilter, DeadLetterReason, DeadLetterStatus, Operator, RetryScope};
use tasker_runtime::store::MemoryStore;
use tasker_runtime::task::{AttemptOutcome, WaitingFor};
use tasker_runtime::{
    Builder, Error, IdentityStrategy, NewTask, StepContext, StepError, StepResult, StepState, TaskFilter,
    TaskId, TaskState, Tasker,
};

use tasker_template::Lifecycle;

use crate::support::{Ledger, ended, recording, template, virtual_time};

fn new_task() -> NewTask {
    NewTask::new("test", "flow", &json!({}))
}

fn ada() -> Operator {
    Operator::new("ada").because("the card was replaced")
}

/// A task whose step `b` fails for good in its first `failures` attempts, blocked.
async fn blocked(steps: &str, ledger: &Ledger, failures: u32) -> (Tasker, TaskId) {
    let own = ledger.clone();
    let builder =
        virtual_time(steps).handler_fn("b", move |context: StepContext| {
            own.write(&context);
            async move {
                if context.attempt() <= failures { Err(StepError::permanent("declined")) } else { Ok("b") }
            }
        });
    let tasker = recording(builder, ledger, &["a", "c", "d"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let task = ended(tasker.wait(id).await);
    assert_eq!(task.state, TaskState::BlockedByFailures);
    (tasker, id)
}

#[tokio::test(start_paused = true)]
async fn a_retried_step_goes_on_from_there_and_what_is_complete_stays() {
    let ledger = Ledger::default();
    let (tasker, id) = blocked("a\nb: a\nc: b\nd: a", &ledger, 1).await;
    let scope = RetryScope::Step("b".to_owned());
    let plan = tasker.plan_retry(id, &scope).await.unwrap();
    assert_eq!((plan.retried, plan.then), (vec!["b".to_owned()], vec!["c".to_owned()]));
    let task = tasker.retry(id, &scope, &ada()).await.unwrap();
    assert_eq!((task.state, task.settled_at), (TaskState::InProgress, None));
    let task = tasker.wait(id).await.unwrap();
    let mut lines = ledger.lines();
    lines.sort();
    assert_eq!(lines, ["a#1", "b#1", "b#2", "c#1", "d#1"]);
    let action = &task.actions[0];
    let told = (action.action.as_str(), action.by.as_str(), action.reason.as_str(), &action.steps[..]);
    assert_eq!(told, ("retry", "ada", "the card was replaced", &["b".to_owned()][..]));
}

#[tokio::test(start_paused = true)]
async fn a_retried_step_has_all_its_attempts_again() {
    let builder = virtual_time("b | retry: {max_attempts: 2, backoff: none}").handler_fn(
        "b",
        |context: StepContext| async move {
            let limits = (context.attempt(), context.max_attempts(), context.is_last_attempt());
            StepResult::<()>::Err(StepError::retryable(format!("{limits:?}")))
        },
    );
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    tasker.retry(id, &RetryScope::All, &ada()).await.unwrap();
    let task = ended(tasker.wait(id).await);
    let errors: Vec<_> =
        task.steps[0].attempts.iter().map(|one| one.error.as_ref().unwrap().to_string()).collect();
    assert_eq!(errors, ["(1, 2, false)", "(2, 2, true)", "(3, 4, false)", "(4, 4, true)"]);
    assert_eq!(task.steps[0].max_attempts, 4);
}

#[tokio::test(start_paused = true)]
async fn a_step_is_completed_by_hand_and_its_dependents_read_that() {
    let ledger = Ledger::default();
    let (tasker, id) = blocked("a\nb: a\nc: b", &ledger, 9).await;
    tasker.complete_step(id, "b", "by hand", &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.step_output::<String>("b").unwrap(), "by hand");
    assert_eq!(
        (task.step("b").unwrap().state, task.step("c").unwrap().state),
        (StepState::Complete, StepState::Complete)
    );
    // The failed attempt stays on record.
    assert_eq!(task.step("b").unwrap().attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resolved_step_gives_no_result() {
    let builder = virtual_time("b\nc: b")
        .handler_fn("b", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("no")) })
        .handler_fn("c", |context: StepContext| async move {
            StepResult::Ok(context.optional_dependency::<String>("b")?.is_none())
        });
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    ended(tasker.wait(id).await);
    tasker.resolve_step_anyway(id, "b", &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.step("b").unwrap().state, StepState::ResolvedManually);
    assert!(task.step_output::<bool>("c").unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_tells_its_handlers_and_ends_those_that_go_on() {
    let told = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&told);
    let builder = virtual_time("a\nb\nc: a")
        .handler_fn("a", move |context: StepContext| {
            let told = Arc::clone(&own);
            async move {
                context.cancelled().await;
                told.fetch_add(1, Ordering::SeqCst);
                StepResult::Ok("too late")
            }
        })
        .handler_fn("b", |_: StepContext| std::future::pending::<StepResult<()>>())
        .grace_period(Duration::from_secs(5));
    let tasker = recording(builder, &Ledger::default(), &["c"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let task = tasker.cancel(id, &ada()).await.unwrap();
    assert_eq!(task.state, TaskState::Cancelled);
    let states: Vec<_> = task.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Cancelled; 3]);
    assert_eq!(task.step("a").unwrap().attempts[0].outcome, AttemptOutcome::Cancelled);
    assert!(matches!(tasker.wait(id).await, Err(Error::Failed(_))));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(told.load(Ordering::SeqCst), 1);
    // Nothing runs any more: a shutdown waits for nobody.
    let begun = tokio::time::Instant::now();
    tasker.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_can_be_reopened() {
    let ledger = Ledger::default();
    let (tasker, id) = blocked("a\nb: a\nc: b", &ledger, 1).await;
    tasker.cancel(id, &ada()).await.unwrap();
    let refused = tasker.cancel(id, &ada()).await.unwrap_err().to_string();
    assert!(
        refused.contains("is cancelled") && refused.contains("`retry` brings such a task back"),
        "{refused}"
    );
    tasker.retry(id, &RetryScope::All, &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.step("b").unwrap().attempts.len(), 2);
    assert_eq!(ledger.lines(), ["a#1", "b#1", "b#2", "c#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_in_backoff_is_run_now() {
    let builder = virtual_time("b | retry: {max_attempts: 2, initial_delay: 1800, max_delay: 3600}")
        .handler_fn("b", |context: StepContext| async move {
            if context.attempt() == 1 { Err(StepError::retryable("busy")) } else { Ok(()) }
        });
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(tasker.get_task(id).await.unwrap().steps[0].state, StepState::WaitingForRetry);
    tasker.retry_now(id, "b", &ada()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    let took = task.settled_at.unwrap().duration_since(task.created_at).as_secs();
    assert!(took < 10, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_says_what_can() {
    let ledger = Ledger::default();
    let (tasker, id) = blocked("a\nb: a\nc: b", &ledger, 9).await;
    let messages = [
        tasker.retry(id, &RetryScope::Step("a".to_owned()), &ada()).await.unwrap_err().to_string(),
        tasker.retry_now(id, "b", &ada()).await.unwrap_err().to_string(),
        tasker.resolve_step(id, "c", &ada()).await.unwrap_err().to_string(),
        tasker.resolve_step(id, "bb", &ada()).await.unwrap_err().to_string(),
        tasker.cancel(TaskId::random(), &ada()).await.unwrap_err().to_string(),
    ];
    let expected = [
        "step `a` of task ID is complete: `retry` is not possible; nothing is left to do",
        "step `b` of task ID is error: `retry_now` is not possible; it failed for good: use `retry`",
        "step `c` of task ID is pending: `resolve` is not possible; complete or resolve the steps",
        "task ID has no step `bb`; did you mean `b`?",
        "there is no task",
    ];
    for (message, expected) in messages.iter().zip(expected) {
        let message = message.replace(&id.to_string(), "ID");
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(tasker.get_task(id).await.unwrap().actions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_given_up_is_a_dead_letter_until_somebody_sees_to_it() {
    let ledger = Ledger::default();
    let (tasker, id) = blocked("a\nb: a\nc: b", &ledger, 1).await;
    let list = async |statuses: &[DeadLetterStatus]| {
        let filter = DeadLetterFilter::new().statuses(statuses.to_vec());
        tasker.dead_letters(filter).await.unwrap()
    };
    let pending = [DeadLetterStatus::Pending];
    let early = tasker.investigate(id, DeadLetterStatus::Cancelled, &ada()).await.unwrap_err().to_string();
    assert!(early.contains("only a task that was given up has a dead letter"), "{early}");
    tasker.give_up(id, &ada()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(181)).await;
    let letter = &list(&pending).await[0];
    assert_eq!((letter.task, letter.reason), (id, DeadLetterReason::ManualDlq));
    assert_eq!((letter.original_state, letter.waiting_for), (Some(TaskState::BlockedByFailures), None));
    assert_eq!((letter.by.as_str(), letter.message.as_str()), ("ada", "the card was replaced"));
    assert_eq!((&letter.notes, letter.priority), (&None, Some(13)));

    // An investigation is on record, and touches nothing else.
    let bob = Operator::new("bob").because("the account is closed");
    let task = tasker.investigate(id, DeadLetterStatus::PermanentlyFailed, &bob).await.unwrap();
    assert_eq!(task.state, TaskState::Error);
    assert_eq!(task.actions.last().unwrap().details.status, Some(DeadLetterStatus::PermanentlyFailed));
    assert!(list(&pending).await.is_empty());
    let letter = &list(&[DeadLetterStatus::PermanentlyFailed]).await[0];
    assert_eq!(letter.resolved_by.as_deref(), Some("bob"));
    assert_eq!(letter.notes.as_deref(), Some("the account is closed"));
    assert_eq!((letter.resolved_at, letter.priority), (Some(task.actions[1].at), None));

    // Reopened, it is seen to by whoever did that, also once it is complete.
    tasker.retry(id, &RetryScope::All, &ada()).await.unwrap();
    tasker.wait(id).await.unwrap();
    let all = list(&[]).await;
    assert_eq!((all.len(), all[0].state), (1, TaskState::Complete));
    assert_eq!(all[0].status, DeadLetterStatus::ManuallyResolved);
    assert_eq!(all[0].resolved_by.as_deref(), Some("ada"));
    assert!(list(&[DeadLetterStatus::Pending, DeadLetterStatus::PermanentlyFailed]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn identity_decides_which_tasks_are_the_same() {
    let builder = virtual_time("a").without_worker();
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let task = |context: &str| {
        let context: serde_json::Value = serde_json::from_str(context).unwrap();
        NewTask::new("test", "flow", &context)
    };
    let strict = |context: &str| task(context).identity(IdentityStrategy::Strict);
    let first = tasker.create_task(strict(r#"{"a": 1, "b": [1, 2]}"#)).await.unwrap();
    let again = tasker.create_task(strict(r#"{"b": [1, 2], "a": 1}"#)).await;
    assert!(
        matches!(again, Err(Error::AlreadyExists { task: Some(task), same_context: Some(true), .. }) if task == first),
        "{again:?}"
    );
    tasker.create_task(strict(r#"{"a": 1, "b": [2, 1]}"#)).await.unwrap();
    tasker.create_task(task(r#"{"a": 1, "b": [1, 2]}"#)).await.unwrap();
    let keyed = tasker.create_task(task(r#"{"n": 1}"#).idempotency_key("k")).await.unwrap();
    let same = tasker.create_task(task(r#"{ "n": 1 }"#).idempotency_key("k")).await;
    assert!(
        matches!(same, Err(Error::AlreadyExists { task: Some(task), same_context: Some(true), .. }) if task == keyed),
        "{same:?}"
    );
    let other = tasker.create_task(task(r#"{"n": 2}"#).idempotency_key("k")).await;
    assert!(
        matches!(other, Err(Error::AlreadyExists { task: Some(task), same_context: Some(false), .. }) if task == keyed),
        "{other:?}"
    );
    assert_eq!(tasker.list(TaskFilter::default()).await.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_its_time() {
    let builder = virtual_time("a");
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let id = tasker.create_task(new_task().run_at(now + 2.hours())).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    let begun = task.steps[0].attempts[0].started_at.duration_since(task.created_at).as_secs();
    assert!((7_190..=7_201).contains(&begun), "{begun}");
}

#[tokio::test(start_paused = true)]
async fn priority_decides_who_is_next() {
    let ledger = Ledger::default();
    let own = ledger.clone();
    let builder = virtual_time("a").concurrency(1).handler_fn("a", move |context: StepContext| {
        let own = own.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            own.push(context.input_field::<String>("name")?);
            StepResult::Ok(())
        }
    });
    let tasker = builder.build().await.unwrap();
    let mut ids = Vec::new();
    for (name, priority) in [("running", 0), ("low", -5), ("plain", 0), ("high", 5)] {
        let context = json!({ "name": name });
        let task = NewTask::new("test", "flow", &context).priority(priority);
        ids.push(tasker.create_task(task).await.unwrap());
    }
    for id in ids {
        tasker.wait(id).await.unwrap();
    }
    assert_eq!(ledger.lines(), ["running", "high", "plain", "low"]);
    let refused = tasker.create_task(new_task().priority(101)).await;
    assert!(matches!(refused, Err(Error::InvalidPriority(101))));
}

#[tokio::test(start_paused = true)]
async fn a_callable_has_no_more_attempts_than_its_limit_and_the_others_go_on() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let watched = (Arc::clone(&now), Arc::clone(&most));
    let steps: String = (0..20).map(|number| format!("s{number} | \nf{number}\n")).collect();
    let yaml = template(&steps);
    let yaml = (0..20).fold(yaml, |yaml, number| {
        yaml.replace(&format!("callable: s{number}}}"), "callable: slow}")
            .replace(&format!("callable: f{number}}}"), "callable: fast}")
    });
    let builder = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", yaml)
        .store(MemoryStore::new())
        .clock(tasker_runtime::clock::Clock::paused(jiff::Timestamp::from_second(1_800_000_000).unwrap(), 7))
        .concurrency(8)
        .callable_concurrency("slow", 2)
        .handler_fn("fast", |_: StepContext| async { StepResult::Ok(()) })
        .handler_fn("slow", move |_: StepContext| {
            let (now, most) = watched.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                StepResult::Ok(())
            }
        });
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let task = tasker.get_task(id).await.unwrap();
    let fast = task.steps.iter().filter(|step| step.callable == "fast");
    assert!(fast.clone().count() == 20 && fast.clone().all(|step| step.state == StepState::Complete));
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert!(task.steps.iter().all(|step| step.attempts.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn old_tasks_are_deleted_and_unfinished_ones_are_not() {
    let builder = virtual_time("a").retention(Duration::from_secs(3_600));
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let old = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(old).await.unwrap();
    let late = tasker.create_task(new_task().run_at(jiff::Timestamp::from_second(1_800_100_000).unwrap()));
    let late = late.await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_500)).await;
    assert!(tasker.get_task(old).await.is_ok());
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(matches!(tasker.get_task(old).await, Err(Error::UnknownTask(_))));
    assert!(tasker.get_task(late).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stale_task_is_given_up_where_its_template_says_so() {
    let yaml = template("a | timeout_seconds: 86400")
        .replace("steps:", "lifecycle: {max_steps_in_process_minutes: 10}\nsteps:");
    let builder = virtual_time("a")
        .template_str("stale.yaml", yaml.replace("name: flow", "name: stale"))
        .handler_fn("a", |_: StepContext| std::future::pending::<StepResult<()>>())
        .step_timeout(Duration::from_secs(86_400));
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(NewTask::new("test", "stale", &json!({}))).await.unwrap();
    let patient = tasker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60 * 45)).await;
    let task = tasker.get_task(id).await.unwrap();
    assert_eq!((task.state, task.actions[0].by.as_str()), (TaskState::Error, "staleness"));
    assert!(task.actions[0].reason.starts_with("steps in process for 1"), "{}", task.actions[0].reason);
    assert_eq!(tasker.get_task(patient).await.unwrap().state, TaskState::InProgress);
    // Of the two dead letters the stale task is the more urgent.
    let other = tasker.create_task(new_task()).await.unwrap();
    tasker.give_up(other, &ada()).await.unwrap();
    let letters = tasker.dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.task).collect::<Vec<_>>(), [id, other]);
    assert_eq!(letters[0].reason, DeadLetterReason::StalenessTimeout);
    let waiting_for = Some(WaitingFor::StepsInProcess);
    assert_eq!(
        (letters[0].original_state, letters[0].waiting_for),
        (Some(TaskState::InProgress), waiting_for)
    );
    let ages = tasker.task_ages(TaskFilter::default()).await.unwrap();
    assert_eq!(ages.iter().map(|age| (age.task, age.is_stale())).collect::<Vec<_>>(), [(patient, true)]);
}

/// A client and a worker of another program, which has no templates, on one store in virtual time.
fn two_programs(yaml: &str) -> (Builder, Builder) {
    let (start, store) = (jiff::Timestamp::from_second(1_800_000_000).unwrap(), Arc::new(MemoryStore::new()));
    let clock = tasker_runtime::clock::Clock::paused(start, 7);
    let on = || Tasker::builder().only_listed_handlers().shared_store(store.clone()).clock(clock.clone());
    (on().template_str("flow.yaml", yaml).without_worker(), on())
}

async fn states_after(minutes: u64, tasker: &Tasker, ids: &[TaskId]) -> Vec<TaskState> {
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    let mut states = Vec::new();
    for id in ids {
        states.push(tasker.get_task(*id).await.unwrap().state);
    }
    states
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_snapshot_hold_whatever_templates_a_worker_has() {
    let limits = "lifecycle: {max_waiting_for_dependencies_minutes: 10}\nsteps:";
    let (client, worker) = two_programs(&template("a").replace("steps:", limits));
    let without = template("a").replace("name: flow", "name: other");
    let client = client.template_str("other.yaml", without).build().await.unwrap();
    let worker = worker.build().await.unwrap();
    let limited = client.create_task(new_task()).await.unwrap();
    let other = client.create_task(NewTask::new("test", "other", &json!({}))).await.unwrap();
    let ids = [limited, other];
    assert_eq!(states_after(9, &client, &ids).await, [TaskState::InProgress; 2]);
    // By no limit of its own nothing is given up.
    assert_eq!(states_after(1_000, &client, &ids).await, [TaskState::Error, TaskState::InProgress]);
    let task = client.get_task(limited).await.unwrap();
    assert_eq!((task.actions.len(), task.actions[0].by.as_str()), (1, "staleness"));
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_builders_limits_hold_where_a_template_has_none() {
    let (client, worker) = two_programs(&template("a"));
    let named = |name: &str, lifecycle: &str| {
        let yaml = template("a").replace("name: flow", &format!("name: {name}"));
        yaml.replace("steps:", &format!("lifecycle: {{{lifecycle}}}\nsteps:"))
    };
    let client = client
        .template_str("patient.yaml", named("patient", "max_waiting_for_dependencies_minutes: 100"))
        .template_str("never.yaml", named("never", "staleness_action: none"));
    let limits = Lifecycle { max_waiting_for_dependencies_minutes: Some(10), ..Lifecycle::default() };
    let client = client.build().await.unwrap();
    let worker = worker.lifecycle(limits).build().await.unwrap();
    let mut ids = Vec::new();
    for name in ["flow", "patient", "never"] {
        ids.push(client.create_task(NewTask::new("test", name, &json!({}))).await.unwrap());
    }
    let (going_on, given_up) = (TaskState::InProgress, TaskState::Error);
    assert_eq!(states_after(9, &client, &ids).await, [going_on, going_on, going_on]);
    let ages = worker.task_ages(TaskFilter::new().name("flow")).await.unwrap();
    assert_eq!((ages.len(), ages[0].limit_minutes), (1, 10));
    assert_eq!(states_after(5, &client, &ids).await, [given_up, going_on, going_on]);
    assert_eq!(states_after(100, &client, &ids).await, [given_up, given_up, going_on]);
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_a_worker_from_when_it_is_due() {
    let (start, store) = (jiff::Timestamp::from_second(1_800_000_000).unwrap(), Arc::new(MemoryStore::new()));
    let clock = tasker_runtime::clock::Clock::paused(start, 7);
    let builder = || {
        Tasker::builder()
            .only_listed_handlers()
            .template_str("flow.yaml", template("a | retry: {initial_delay: 3600, max_delay: 3600}"))
            .shared_store(store.clone())
            .clock(clock.clone())
            .handler_fn("a", |_: StepContext| async { StepResult::<()>::Err(StepError::retryable("busy")) })
    };
    let worker = builder().build().await.unwrap();
    let failed = worker.create_task(new_task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    worker.shutdown().await;

    // Now there is no worker.
    let tasker = builder().without_worker().build().await.unwrap();
    let scheduled = tasker.create_task(new_task().run_at(start + 10.hours())).await.unwrap();
    let age = async |minute: i64, task: TaskId| {
        clock.sleep_until(start + minute.minutes()).await;
        let ages = tasker.task_ages(TaskFilter::default()).await.unwrap();
        let age = ages.into_iter().find(|age| age.task == task);
        age.map(|age| (age.waiting_for, age.minutes, age.is_stale()))
    };
    assert_eq!(age(20, failed).await, Some((WaitingFor::Retry, 20, false)));
    assert_eq!(age(20, scheduled).await, None);
    assert_eq!(age(60 + 15, failed).await, Some((WaitingFor::Worker, 15, false)));
    assert_eq!(age(600 + 5, scheduled).await, Some((WaitingFor::Worker, 5, false)));
    assert_eq!(age(600 + 70, scheduled).await, Some((WaitingFor::Worker, 70, true)));
}
