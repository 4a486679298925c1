//! The futures of the client and the engine can be sent to other threads, in every shape that they have: that
//! this compiles is most of the test.

use std::time::Duration;

use serde_json::Value;
use tasker::cli::{self, App, Commands, Display, WorkerOptions};
use tasker_runtime::events::Events;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::operate::{DeadLetterFilter, DeadLetterStatus, Operator, RetryScope};
use tasker_runtime::store::{Executor, MemoryStore, PostgresStore, SqliteStore, migrate, plan_migration};
use tasker_runtime::testing::TestEngine;
use tasker_runtime::{Builder, NewTask, StepContext, StepResult, TaskFilter, TaskId, Tasker};

use crate::support::{new_task, template};

fn sendable<T: Send>(_: T) {}

fn shared<T: Send + Sync + Clone + 'static>() {}

#[allow(dead_code, reason = "it is compiled")]
fn futures_of_a_client(tasker: &'static Tasker, task: NewTask, id: TaskId, operator: &'static Operator) {
    let (filter, scope) = (TaskFilter::default, LimitScope::Callable("C".to_owned()));
    let limit = FleetLimit::new(scope.clone());
    sendable(tasker.create_task(task));
    sendable(tasker.get_task(id));
    sendable(tasker.wait(id));
    sendable(tasker.list(filter()));
    sendable(tasker.workers());
    sendable(tasker.shutdown());
    sendable(tasker.set_limit(limit));
    sendable(tasker.limits());
    sendable(tasker.unknown_scope(&scope));
    sendable(tasker.remove_limit(scope.clone()));
    sendable(tasker.cancel(id, operator));
    sendable(tasker.retry(id, &RetryScope::All, operator));
    sendable(tasker.plan_retry(id, &RetryScope::All));
    sendable(tasker.retry_now(id, "step", operator));
    sendable(tasker.complete_step(id, "step", "result", operator));
    sendable(tasker.complete_step(id, "step", &Value::Null, operator));
    sendable(tasker.resolve_step(id, "step", operator));
    sendable(tasker.give_up(id, operator));
    sendable(tasker.investigate(id, DeadLetterStatus::Pending, operator));
    sendable(tasker.prune(Duration::ZERO, 1));
    sendable(tasker.task_ages(filter()));
    sendable(tasker.dead_letters(DeadLetterFilter::default()));
    // Several at once, and one within another.
    sendable(async {
        let (one, other) = tokio::join!(tasker.wait(id), tasker.get_task(id));
        tokio::select! {
            _ = tasker.wait(id) => {}
            () = tasker.shutdown() => {}
        }
        one.and(other)
    });
}

#[allow(dead_code, reason = "it is compiled")]
fn futures_beside_the_client(
    builder: fn() -> Builder,
    tasker: &'static Tasker,
    transaction: &'static mut dyn Executor,
    mut events: Events,
    context: StepContext,
    options: &'static WorkerOptions,
    commands: Commands,
) {
    sendable(builder().build());
    sendable(tasker.create_task_in(transaction, new_task()));
    sendable(async move { events.next().await });
    sendable(migrate("memory:"));
    sendable(plan_migration("memory:"));
    sendable(async move {
        context.cancelled().await;
        let tasks = context.tasks();
        let id = tasks.create(new_task()).await?;
        tasks.get(id).await?;
        tasks.list(TaskFilter::default()).await
    });
    sendable(cli::main(builder()));
    sendable(App::new(builder()).main());
    sendable(App::new(builder()).run(commands));
    sendable(cli::run_worker(builder(), options));
    sendable(cli::run_task(tasker, "shop", "order", &Value::Null, Display::Json));
    // Handlers and values of all kinds.
    sendable(builder().handler_fn("a", |_: StepContext| async { StepResult::Ok(()) }).state(7).build());
    sendable(builder().store(MemoryStore::new()).build());
    shared::<Tasker>();
    sendable(SqliteStore::open("t.db"));
    sendable(PostgresStore::open("postgres://localhost/t"));
    sendable(TestEngine::template_str("t.yaml", template("a")));
}

#[test]
fn a_runtime_is_built_used_and_dropped_on_any_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let builder = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("a"))
        .handler_fn("a", |_: StepContext| async { StepResult::Ok("done") })
        .store_url("memory:");
    let tasker = runtime.block_on(runtime.spawn(builder.build())).unwrap().unwrap();
    let own = tasker.clone();
    let id =
        runtime.block_on(runtime.spawn(async move { own.create_task(new_task()).await })).unwrap().unwrap();
    let own = tasker.clone();
    let task = runtime.block_on(runtime.spawn(async move { own.wait(id).await })).unwrap().unwrap();
    assert_eq!(task.step_output::<String>("a").unwrap(), "done");
    runtime.block_on(runtime.spawn(async move { tasker.shutdown().await })).unwrap();
}
