//! What the events of handlers carry: a span around each attempt, for whoever subscribes.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::json;
use tasker_runtime::store::MemoryStore;
use tasker_runtime::{Builder, NewTask, StepContext, StepError, Task, Tasker, step_handler};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use crate::support::{ended, template};

const CORRELATION: Uuid = Uuid::from_u128(0xc0ffee);

/// The lines of a log that everything on the threads of one runtime writes to.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The one line that has this text.
    fn one(&self, text: &str) -> String {
        let lines = self.0.lock().unwrap();
        let found: Vec<&String> = lines.iter().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 1, "`{text}` in {lines:#?}");
        found[0].clone()
    }
}

/// Runs a task of these steps, with a correlation id, and logs by this filter (as `RUST_LOG` says it).
fn run(steps: &str, filter: &str, configure: impl FnOnce(Builder) -> Builder) -> (Task, Lines) {
    /// Keeps tracing exact while several tests run: with one subscriber in the program it decides whether an
    /// event is of interest by the thread that comes by first, with two it asks every subscriber.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let writer = lines.clone();
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_ansi(false).without_time();
    let log = Dispatch::new(log.with_writer(move || writer.clone()).finish());
    let for_threads = log.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        // The threads of the blocking pool, which end with the runtime.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&for_threads)))
        .build()
        .unwrap();
    let _subscribed = tracing::dispatcher::set_default(&log);
    let builder = configure(
        Tasker::builder()
            .only_listed_handlers()
            .store(MemoryStore::default())
            .template_str("flow.yaml", template(steps)),
    );
    let task = runtime.block_on(async {
        let tasker = builder.build().await.unwrap();
        let task = NewTask::new("test", "flow", &json!({})).correlation_id(CORRELATION);
        let id = tasker.create_task(task).await.unwrap();
        let task = ended(tasker.wait(id).await);
        tasker.shutdown().await;
        task
    });
    (task, lines)
}

#[track_caller]
fn assert_in_span(line: &str, task: &Task, step: &str, attempt: u32) {
    let id = task.id;
    let of_task = format!("task={id} step=\"{step}\" attempt={attempt} correlation_id={CORRELATION}");
    let span = format!("step{{{of_task} callable=\"{step}\"}}:");
    assert!(line.contains(&span), "no `{span}` in {line}");
}

/// Says so when it is dropped.
struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        tracing::info!("dropped {}", self.0);
    }
}

#[test]
fn what_a_handler_logs_carries_its_step_across_awaits_and_retries() {
    let steps = "a | retry: {max_attempts: 2, backoff: none}\nb: a";
    let (task, lines) = run(steps, "it=info,tasker=info", |builder| {
        let a = |context: StepContext| {
            tracing::info!("called {}", context.attempt());
            async move {
                tokio::task::yield_now().await;
                tracing::info!("resumed {}", context.attempt());
                if context.attempt() == 1 { Err(StepError::retryable("not yet")) } else { Ok(()) }
            }
        };
        builder.handler_fn("a", a).handler_fn("b", |_: StepContext| async {
            tracing::info_span!("inner").in_scope(|| tracing::info!("deeper"));
            Ok::<(), StepError>(())
        })
    });
    for attempt in [1, 2] {
        assert_in_span(&lines.one(&format!("called {attempt}")), &task, "a", attempt);
        assert_in_span(&lines.one(&format!("resumed {attempt}")), &task, "a", attempt);
    }
    let deeper = lines.one("deeper");
    assert_in_span(&deeper, &task, "b", 1);
    assert!(deeper.contains("}:inner: "), "{deeper}");
}

#[test]
fn what_a_handler_drops_when_it_panics_or_takes_too_long_carries_its_step() {
    let steps = "a | retry: {max_attempts: 1}\nb | timeout_seconds: 1, retry: {max_attempts: 1}";
    let (task, lines) = run(steps, "info", |builder| {
        builder
            .handler_fn("a", |_: StepContext| async {
                let _farewell = Farewell("by a panic");
                tokio::task::yield_now().await;
                assert!(std::hint::black_box(false), "on purpose");
                Ok::<(), StepError>(())
            })
            .handler_fn("b", |_: StepContext| async {
                let _farewell = Farewell("by the timeout");
                std::future::pending::<()>().await;
                Ok::<(), StepError>(())
            })
    });
    assert_in_span(&lines.one("dropped by a panic"), &task, "a", 1);
    assert_in_span(&lines.one("dropped by the timeout"), &task, "b", 1);
}

#[step_handler("on_its_own_thread")]
fn on_its_own_thread(context: StepContext) {
    tracing::info!("on a thread of its own {}", context.attempt());
}

#[test]
fn what_a_function_that_may_block_logs_carries_its_step() {
    let (task, lines) = run("on_its_own_thread", "info", |builder| builder.handler::<on_its_own_thread>());
    assert_in_span(&lines.one("on a thread of its own"), &task, "on_its_own_thread", 1);
}

#[test]
fn claims_starts_and_ends_are_logged_for_those_who_look_closely() {
    let steps = "a\nb: a | retry: {max_attempts: 1}";
    let (task, lines) = run(steps, "debug", |builder| {
        builder
            .handler_fn("a", |_: StepContext| async { Ok::<(), StepError>(()) })
            .handler_fn("b", |_: StepContext| async { Err::<(), _>(StepError::permanent("no")) })
    });
    let id = task.id;
    for (step, index, outcome) in [("a", 0, "complete"), ("b", 1, "failed")] {
        let claim = format!("task={id} step={index} attempt=1");
        assert!(lines.one(&claim).contains("a step was claimed"), "{claim}");
        let of_step = |text: &str| {
            let lines = lines.0.lock().unwrap().clone();
            let is_it = |line: &&String| line.contains(text) && line.contains(&format!("step=\"{step}\""));
            lines.iter().find(is_it).cloned().unwrap_or_else(|| panic!("`{text}` in {lines:#?}"))
        };
        assert_in_span(&of_step("the attempt started"), &task, step, 1);
        let end = of_step("the attempt ended");
        assert_in_span(&end, &task, step, 1);
        assert!(end.contains(&format!("outcome=\"{outcome}\"")), "{end}");
    }
}

#[test]
fn without_a_subscriber_to_spans_nothing_of_them_is_seen() {
    let (_, lines) = run("a", "warn", |builder| {
        builder.handler_fn("a", |_: StepContext| async {
            assert!(tracing::Span::current().is_none());
            tracing::warn!("bare");
            Ok::<(), StepError>(())
        })
    });
    assert!(!lines.one("bare").contains("step{"), "{:?}", lines.one("bare"));
}
