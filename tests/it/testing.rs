//! The testing kit, and what it shows of the engine.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::testing::{CrashPoint, TestEngine, TestRun, call, handler};
use tasker_runtime::{State, StepContext, StepError, StepResult, StepState, Task, TaskState, step_handler};
use validator::Validate;

use crate::support::flow;

#[derive(Clone, Debug, serde::Deserialize, serde::Serialize, Validate)]
struct Order {
    #[validate(range(min = 1, message = "is nothing"))]
    cents: u64,
}

/// Outside of the program: what was charged, by the key of the call.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<BTreeMap<String, u64>>>);

impl Bank {
    fn charges(&self) -> Vec<u64> {
        self.0.lock().unwrap().values().copied().collect()
    }
}

#[step_handler("T::Account")]
async fn account() -> String {
    "Ada".to_owned()
}

#[step_handler("T::Pay")]
async fn pay(
    #[input] order: Order,
    #[depends_on(account)] account: String,
    #[depends_on("coupon")] coupon: Option<u64>,
    State(bank): State<Bank>,
    context: StepContext,
) -> Result<String, StepError> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    if context.attempt() > 2 {
        return Err(StepError::permanent("too often").with_code("OFTEN"));
    }
    bank.0.lock().unwrap().insert(context.idempotency_key(), order.cents - coupon.unwrap_or(0));
    Ok(format!("{account} paid"))
}

/// Not async, with a method and a configuration.
#[step_handler("T::Mail", method = "send")]
fn mail(#[depends_on(pay, step = "payment")] receipt: String, context: StepContext) -> StepResult<String> {
    Ok(format!("{}: {receipt}", context.config::<String>("greeting")?))
}

const ORDER: &str = "
name: order
namespace_name: test
version: 1.0.0
steps:
  - {name: account, handler: {callable: 'T::Account'}}
  - {name: payment, handler: {callable: 'T::Pay'}, dependencies: [account], retry: {max_attempts: 4, initial_delay: 1800, max_delay: 1800}}
  - {name: mail, handler: {callable: 'T::Mail', method: send, initialization: {greeting: Hi}}, dependencies: [payment]}
";

fn order() -> TestEngine {
    TestEngine::template_str("order.yaml", ORDER)
}

/// What a test would fail with.
fn failure(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    panic
        .downcast::<String>()
        .map_or_else(|other| (*other.downcast::<&str>().unwrap()).to_owned(), |text| *text)
}

#[tokio::test]
async fn one_handler_is_called_as_in_production() {
    let bank = Bank::default();
    let paying = call::<pay>()
        .input(json!({"cents": 500}))
        .result_of::<account>(&"Ada".to_owned())
        .dependency("coupon", &100)
        .state(bank.clone());
    assert_eq!(paying.clone().run().await.unwrap(), "Ada paid");
    assert_eq!(bank.charges(), [400]);
    let error = paying.clone().attempt(3).run().await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_retryable()), ("too often [OFTEN]", false));
    let error = paying.input(json!({"cents": 0})).run().await.unwrap_err();
    assert_eq!(error.to_string(), "the task's context is invalid: `cents` is nothing [INVALID_INPUT]");
}

#[test]
fn a_handler_with_method_and_configuration_reads_a_renamed_step_on_another_thread() {
    let mailing = call::<mail>().result_of::<pay>(&"paid".to_owned());
    assert_eq!(mailing.clone().config("greeting", "Hello").run_blocking().unwrap(), "Hello: paid");
    assert!(!mailing.run_blocking().unwrap_err().is_retryable());
}

#[test]
fn a_missing_dependency_is_the_same_error_as_in_production() {
    let error = call::<pay>().input(json!({"cents": 1})).state(Bank::default()).run_blocking().unwrap_err();
    assert_eq!(error.to_string(), "step `account` has no result [MISSING_DEPENDENCY]");
    let run = flow("a\nb: a")
        .returns("a", &1)
        .replace("b", |context: StepContext| async move { context.dependency::<u8>("nothing") })
        .run_blocking(json!({}));
    assert_eq!(run.assert_failed("b").code.as_deref(), Some("MISSING_DEPENDENCY"));
}

#[test]
fn a_slip_in_a_call_fails_its_test_with_what_is_meant() {
    let text = failure(|| drop(call::<pay>().dependency("acount", &1)));
    assert_eq!(text, "handler `pay` does not read step `acount`; it reads `account`, `coupon`");
    let text = failure(|| drop(call::<account>().result_of::<pay>(&String::new())));
    assert_eq!(text, "handler `account` does not read `pay`; it reads no step");
    let text = failure(|| drop(call::<pay>().run_blocking()));
    assert!(text.contains("takes `State<it::testing::Bank>`"), "{text}");
    let text = failure(|| drop(call::<pay>().input([1])));
    assert!(text.ends_with("must be a JSON object: it is `[1]`"), "{text}");
}

#[test]
fn half_an_hour_of_backoff_passes_in_no_time() {
    let begun = Instant::now();
    let run = order()
        .state_of_run(Bank::default)
        .fails("payment", [StepError::retryable("closed")])
        .run_blocking(json!({"cents": 5}));
    run.assert_complete();
    assert_eq!(run.order(), ["account#1", "payment#1", "payment#2", "mail#1"]);
    assert_eq!(run.attempts("payment")[0].outcome, AttemptOutcome::Failed);
    assert_eq!(run.output::<mail>(), "Hi: Ada paid");
    assert_eq!(run.state::<Bank>().charges(), [5]);
    run.assert_before("payment", "mail");
    assert!(run.elapsed() >= Duration::from_secs(1_800));
    // Half an hour, and not even half a minute on a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn steps_are_replaced_by_name_by_callable_and_by_handler() {
    // Neither replacement asks for the state of the handler that it replaces.
    for engine in [
        order().returns("payment", "by name"),
        order().returns("T::Pay", "by callable"),
        order().returns(handler::<pay>(), "by handler"),
        order().result_of::<pay>(&"by type".to_owned()),
        order().replace("payment", |context: StepContext| async move {
            context.dependency::<String>("account").map(|name| format!("by {name}"))
        }),
    ] {
        let run = engine.run(json!({"cents": 5})).await;
        run.assert_complete();
        assert!(run.output::<mail>().starts_with("Hi: by "), "{run}");
    }
}

#[test]
fn of_two_steps_of_one_handler_one_can_be_replaced() {
    let yaml = "{name: t, namespace_name: test, version: 1.0.0, steps: [{name: one, handler: {callable: 'T::Account'}}, {name: other, handler: {callable: 'T::Account'}}]}";
    let run = TestEngine::template_str("t.yaml", yaml).returns("other", "Eve").run_blocking(json!({}));
    assert_eq!(
        (run.step_output::<String>("one"), run.step_output::<String>("other")),
        ("Ada".into(), "Eve".into())
    );
}

#[test]
fn a_step_that_fails_for_good_blocks_and_the_message_shows_the_history() {
    let run = flow("a\nb: a | retry: {max_attempts: 2, initial_delay: 60}\nc: b")
        .returns("a", &json!({"id": 7}))
        .fails("b", [StepError::retryable("503"), StepError::retryable("504").with_code("GATEWAY")])
        .returns("b", &2)
        .returns("c", &3)
        .run_blocking(json!({"user": 1}));
    assert_eq!(run.task().state, TaskState::BlockedByFailures);
    assert_eq!(run.assert_failed("b").to_string(), "504 [GATEWAY]");
    let text = failure(|| run.assert_complete());
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], "the task is not complete");
    assert!(lines[2].starts_with("test/flow with {\"user\":1} is blocked_by_failures after 6"), "{text}");
    assert_eq!(lines[3], "0.000 s a#1 complete: {\"id\":7}");
    assert_eq!(lines[4], "0.000 s b#1 failed: 503");
    assert!(lines[5].ends_with("s b#2 failed: 504 [GATEWAY]"), "{text}");
    assert_eq!(lines[6], "c pending");
    assert!(failure(|| run.assert_before("b", "c")).starts_with("step `b` has never been complete\n"));
    assert!(failure(|| drop(run.step_output::<String>("c"))).contains("it is pending\n\ntest/flow"));
}

#[test]
fn side_by_side_is_not_before() {
    let slow = |_: StepContext| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        StepResult::Ok(())
    };
    let run =
        flow("a\nb\nc: a").replace("a", slow).replace("b", slow).replace("c", slow).run_blocking(json!({}));
    assert_eq!(run.elapsed().as_secs(), 2);
    assert!(failure(|| run.assert_before("a", "b")).starts_with("step `b` began before `a` was complete\n"));
    assert!(failure(|| run.assert_before("b", "a")).starts_with("step `a` began before `b` was complete\n"));
    run.assert_before("a", "c");
}

#[test]
fn a_slip_in_an_engine_fails_its_test_with_what_is_meant() {
    assert_eq!(
        failure(|| drop(order().returns("paiment", &1))),
        "the template has no step `paiment`; did you mean `payment`?"
    );
    assert_eq!(
        failure(|| drop(flow("a").returns(handler::<pay>(), &1))),
        "handler `pay` runs no step of template `flow`"
    );
    // What keeps a runtime from starting keeps a test from running.
    assert!(
        failure(|| drop(flow("a").run_blocking(json!({}))))
            .contains("no handler is registered for callable `a`")
    );
    assert!(failure(|| drop(order().run_blocking(json!({})))).contains("takes `State<it::testing::Bank>`"));
    assert!(failure(|| drop(TestEngine::template_str("t.yaml", "name: t"))).contains("t.yaml"));
    assert!(failure(|| drop(flow("a").returns("a", &1).run_blocking([1]))).contains("must be a JSON object"));
}

#[test]
fn a_run_that_goes_on_and_on_fails_with_its_history() {
    let polling = |seconds| {
        flow("a\nb: a | retry: {max_attempts: 100}").returns("a", &1).replace(
            "b",
            move |_: StepContext| async move {
                let pause = Duration::from_secs(seconds);
                StepResult::<()>::Err(StepError::retryable("not yet").with_retry_after(pause))
            },
        )
    };
    let text = failure(|| drop(polling(0).max_calls(5).run_blocking(json!({}))));
    let begin = "handlers were called more than 5 times\n\ntest/flow with {} is in_progress:\n";
    assert!(text.starts_with(begin) && text.ends_with("b#4   failed: not yet\n"), "{text}");
    let text = failure(|| {
        drop(polling(0).max_calls(5).run_with_crash_blocking(json!({}), CrashPoint::After(4)));
    });
    assert!(text.contains("more than 5 times") && text.contains("the worker died after commit 4"), "{text}");
    let days = |number: u64| Duration::from_secs(number * 86_400);
    let text = failure(|| drop(polling(86_400).max_elapsed(days(2)).run_blocking(json!({}))));
    let begin = "the run took longer than 172800 s of virtual time\n\ntest/flow with {} is in_progress:\n";
    assert!(text.starts_with(begin) && text.ends_with("b#2   failed: not yet\n"), "{text}");
    // A long history is shown from both ends.
    let run = polling(0).run_blocking(json!({}));
    let shown = run.to_string();
    assert_eq!((run.order().len(), shown.lines().count()), (101, 102));
    assert!(shown.contains("b#49  failed: not yet\n              … 1 more …\n"), "{shown}");
}

#[tokio::test]
async fn time_that_is_not_paused_is_told() {
    let engine = flow("a").returns("a", &1);
    let running = tokio::spawn(async move { engine.run(json!({})).await.assert_complete() });
    let panic = running.await.unwrap_err().into_panic();
    assert!(
        panic
            .downcast::<String>()
            .map_or_else(|text| text.is::<&str>(), |text| text.contains("time is not paused"))
    );
}

/// What was recorded when the worker died is there at the end as it was, and no step has more attempts
/// than it may.
fn assert_promises(run: &TestRun) {
    for step in &run.task().steps {
        let numbers: Vec<_> = step.attempts.iter().map(|attempt| attempt.attempt).collect();
        assert!(numbers.iter().copied().eq(1..=step.attempts.len().try_into().unwrap()), "{numbers:?}");
        assert!(step.attempts.len() <= step.max_attempts as usize);
        let complete = step.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Complete).count();
        assert_eq!(complete, usize::from(step.state == StepState::Complete));
    }
    let Some(left) = run.crash().and_then(|crash| crash.task.as_ref()) else { return };
    assert_eq!(left.id, run.task().id);
    for (before, after) in left.steps.iter().zip(&run.task().steps) {
        let shown = |step: &tasker_runtime::task::Step, most| format!("{:?}", &step.attempts[..most]);
        let most = before.attempts.len();
        assert_eq!(shown(before, most), shown(after, most), "attempts of {}", before.name);
        assert!(before.result.is_none() || before.result == after.result, "result of {}", before.name);
    }
}

fn crashes(task: &Task) -> usize {
    let attempts = task.steps.iter().flat_map(|step| &step.attempts);
    attempts.filter(|attempt| attempt.outcome == AttemptOutcome::Crashed).count()
}

#[test]
fn a_crash_anywhere_loses_nothing_and_charges_once() {
    let count = order().state_of_run(Bank::default).crash_everywhere_blocking(json!({"cents": 5}), |run| {
        run.assert_complete();
        assert_promises(run);
        run.assert_before("payment", "mail");
        assert_eq!(run.state::<Bank>().charges(), [5]);
        assert!(crashes(run.task()) <= 1);
    });
    // The template, the worker, the task, three attempts, and the signing off; before and after.
    assert_eq!(count, 14);
}

#[tokio::test(start_paused = true)]
async fn a_crash_anywhere_in_a_diamond_with_retries_keeps_every_promise() {
    let mut outcomes = BTreeMap::new();
    let work = |context: StepContext| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        StepResult::Ok(context.attempt())
    };
    let engine = flow("a\nb: a\nc: a\nd: b, c")
        .configure(|builder| builder.concurrency(1))
        .replace("a", work)
        .replace("b", work)
        .replace("c", work)
        .replace("d", work)
        .fails("b", [StepError::retryable("503")]);
    let count = engine
        .crash_everywhere(json!({}), |run| {
            run.assert_complete();
            assert_promises(run);
            for (first, second) in [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")] {
                run.assert_before(first, second);
            }
            *outcomes.entry(crashes(run.task())).or_insert(0) += 1;
        })
        .await;
    // Both kinds of crash came: those that found a claim, and those that found none.
    assert_eq!(outcomes.values().sum::<usize>(), count + 2);
    assert!(outcomes[&0] > 2 && outcomes[&1] > 2 && outcomes.len() == 2, "{outcomes:?}");
}

#[test]
fn a_wide_task_loses_all_its_claims_at_once_and_each_counts_once() {
    let steps: String = (0..5).map(|number| format!("s{number}: start\n")).collect();
    let mut engine =
        flow(&format!("start\n{steps}end: s0, s1, s2, s3, s4")).returns("start", &0).returns("end", &1);
    for number in 0..5 {
        engine = engine.replace(format!("s{number}").as_str(), |_: StepContext| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            StepResult::Ok(())
        });
    }
    let mut most = 0;
    engine.crash_everywhere_blocking(json!({}), |run| {
        run.assert_complete();
        assert_promises(run);
        most = most.max(crashes(run.task()));
    });
    assert_eq!(most, 5);
}

#[test]
fn a_step_with_a_single_attempt_fails_of_a_crash_and_of_nothing_else() {
    let engine = flow("a | retry: {max_attempts: 1}").returns("a", &1);
    engine.crash_everywhere_blocking(json!({}), |run| {
        assert_promises(run);
        match crashes(run.task()) {
            0 => run.assert_complete(),
            _ => assert_eq!(run.assert_failed("a").code.as_deref(), Some("WORKER_DIED")),
        }
    });
}

#[test]
fn a_crash_is_told_and_can_be_had_alone() {
    let engine = flow("a\nb: a").returns("a", &1).returns("b", &2);
    let run = engine.run_with_crash_blocking(json!({}), CrashPoint::After(4));
    assert_eq!(run.crash().unwrap().to_string(), "the worker died after commit 4 (recording an attempt)");
    assert_eq!(run.order(), ["a#1", "b#2"]);
    let shown = run.to_string();
    for part in ["the worker died after commit 4", "b#1   never called; crashed: the worker's process ended"]
    {
        assert!(shown.contains(part), "{shown}");
    }
    let run = engine.run_with_crash_blocking(json!({}), CrashPoint::Before(4));
    assert_eq!(run.order(), ["a#1", "a#2", "b#1"]);
    let text = failure(|| {
        engine.crash_everywhere_blocking(json!({}), |run| assert_eq!(run.order().len(), 2, "too many"));
    });
    assert!(
        text.contains("too many") && text.contains("the worker died before commit 4 (recording an attempt)"),
        "{text}"
    );
}

#[test]
fn handlers_of_a_dead_worker_do_not_move() {
    // The crash comes while `slow` sleeps: it never wakes, and is called again by the next worker.
    let woken = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&woken);
    let run = flow("quick\nslow")
        .replace("quick", |_: StepContext| async { StepResult::Ok(()) })
        .replace("slow", move |context: StepContext| {
            let seen = Arc::clone(&seen);
            async move {
                tokio::time::sleep(Duration::from_secs(10)).await;
                seen.lock().unwrap().push(context.attempt());
                StepResult::Ok(())
            }
        })
        .run_with_crash_blocking(json!({}), CrashPoint::After(4));
    run.assert_complete();
    assert_eq!(*woken.lock().unwrap(), [2]);
}
