//! What happens when PostgreSQL cannot be reached, or does not hear of a worker.

use std::sync::Arc;

use tasker_runtime::error::chain;
use tasker_runtime::store::PostgresStore;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{Builder, StepContext, StepResult, TaskFilter, TaskState, Tasker};
use tasker_store::conformance::{Shape, at, failed, new, new_task as new_record, template as record};
use tasker_store::{Claim, ClaimRequest, Ending, Finished, FinishedAttempt, Store, WorkerInfo};
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use crate::log::Log;
use crate::postgres::proxy::{Mode, Proxy};
use crate::postgres::{Schema, address, server};
use crate::support::{Ledger, new_task, on_store, recording};

/// A handler that says when it is called, and returns once it may.
#[derive(Clone, Default)]
struct Gate {
    entered: Arc<Notify>,
    go: Arc<Notify>,
}

impl Gate {
    fn keeps(&self, builder: Builder, step: &str) -> Builder {
        let gate = self.clone();
        builder.handler_fn(step, move |_: StepContext| {
            let gate = gate.clone();
            async move {
                gate.entered.notify_one();
                gate.go.notified().await;
                StepResult::Ok("late")
            }
        })
    }
}

fn break_off(proxy: &Proxy) {
    proxy.set(Mode::Refuse);
    proxy.sever();
}

fn request(worker: WorkerId, second: i64) -> ClaimRequest {
    ClaimRequest { worker, limit: 1, any: true, now: at(second), excluded: Arc::default(), namespaces: None }
}

fn end(claim: Claim, second: i64, ending: Ending) -> FinishedAttempt {
    FinishedAttempt { claim, started_at: at(second), finished_at: at(second), ending }
}

/// The claims of workers that are dead, as soon as there are any.
async fn until_orphaned(store: &PostgresStore) -> Vec<Claim> {
    loop {
        let orphaned = store.orphaned().await.unwrap();
        if !orphaned.is_empty() {
            return orphaned;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let builder = on_store(&schema.url_at(proxy.address(), "lease=600"), "a");
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(id).await.unwrap();

    break_off(&proxy);
    let error = chain(&tasker.create_task(new_task()).await.unwrap_err());
    let port = proxy.address().port();
    assert!(error.contains(&format!("PostgreSQL at 127.0.0.1:{port}")), "{error}");
    assert!(error.contains(schema.name()) && error.contains("it cannot be reached"), "{error}");

    proxy.set(Mode::Forward);
    let next = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(next).await.unwrap();
    let listed = tasker.list(TaskFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [next, id]);
    tasker.shutdown().await;
}

#[tokio::test]
async fn what_a_handler_returned_is_recorded_once_the_database_is_back() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let (mut log, gate) = (Log::listen(), Gate::default());
    let builder = on_store(&schema.url_at(proxy.address(), "lease=600"), "a\nb: a\nc: b");
    let builder = gate.keeps(gate.keeps(builder, "a"), "b");
    let tasker = recording(builder, &Ledger::default(), &["c"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let onlooker = on_store(&schema.url(), "a").without_worker().build().await.unwrap();

    // Away for a moment: nobody notices.
    gate.entered.notified().await;
    break_off(&proxy);
    gate.go.notify_one();
    proxy.refused().await;
    proxy.set(Mode::Forward);

    // Away for longer than the store waits: the worker asks again.
    gate.entered.notified().await;
    break_off(&proxy);
    gate.go.notify_one();
    let line = log.line(&["the store failed; trying again", &id.to_string()]).await;
    assert!(line.contains("step=1") && line.contains("it cannot be reached"), "{line}");
    let task = onlooker.get_task(id).await.unwrap();
    let attempts: Vec<usize> = task.steps.iter().map(|step| step.attempts.len()).collect();
    assert_eq!((task.state, attempts), (TaskState::InProgress, vec![1, 0, 0]));
    proxy.set(Mode::Forward);

    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.step_output::<String>("b").unwrap(), "late");
    assert!(task.steps.iter().all(|step| step.attempts.len() == 1), "{task:?}");
    tasker.shutdown().await;
}

#[tokio::test]
async fn the_answer_of_a_worker_that_was_not_heard_of_is_stale() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let stalled = PostgresStore::open(&schema.url_at(proxy.address(), "lease=1")).await.unwrap();
    let other = PostgresStore::open(&schema.url_with("lease=600")).await.unwrap();
    let [worker, taker] = [&stalled, &other].map(|_| WorkerId::random());
    stalled.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    other.register_worker(taker, WorkerInfo::here(), at(0)).await.unwrap();
    let graph = Shape::new(vec![vec![], vec![0]]);
    stalled.put_template(record()).await.unwrap();
    let created = stalled.create_task(new_record(&graph, 0), request(worker, 0)).await.unwrap();
    let claim = new(created).claims[0];

    proxy.set(Mode::Stall);
    let orphaned = until_orphaned(&other).await;
    assert_eq!(orphaned, [claim]);
    let crashed = end(claim, 1, failed(Some(at(1))));
    let ended = other.finish(crashed, request(taker, 1)).await.unwrap();
    let Finished::Recorded { claimed, .. } = ended else { panic!("{ended:?}") };
    let [second] = claimed.claims[..] else { panic!("{claimed:?}") };
    assert_eq!((second.key.step, second.attempt, second.worker), (0, 2, taker));

    // On its way before the next attempt has ended, and heard of after that.
    let late = stalled.finish(end(claim, 2, graph.complete("\"late\"")), request(worker, 2));
    let (late, ()) = tokio::join!(late, async {
        let ended = other.finish(end(second, 3, graph.complete("\"right\"")), request(taker, 3)).await;
        assert!(matches!(ended, Ok(Finished::Recorded { .. })), "{ended:?}");
        proxy.set(Mode::Forward);
    });
    assert!(matches!(late, Ok(Finished::Stale)), "{late:?}");
    let inputs = other.inputs(claim.task, claim.key, &[0]).await.unwrap().unwrap();
    assert_eq!(inputs.results[0].as_ref().unwrap().get(), "\"right\"");
}

/// What was read under a lock and is not written yet keeps nobody else from going on.
#[tokio::test]
async fn the_locks_of_a_worker_that_was_cut_off_do_not_outlast_its_lease() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let stalled = PostgresStore::open(&schema.url_at(proxy.address(), "lease=1")).await.unwrap();
    let other = PostgresStore::open(&schema.url_with("lease=600")).await.unwrap();
    let [worker, taker] = [&stalled, &other].map(|_| WorkerId::random());
    stalled.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    let graph = Shape::new(vec![vec![], vec![0]]);
    other.put_template(record()).await.unwrap();
    let nothing = ClaimRequest { limit: 0, any: false, ..request(taker, 0) };
    other.create_task(new_record(&graph, 0), nothing).await.unwrap();
    // It comes from the queue: what the store does not know of the task it reads under a lock.
    let claim = stalled.claim(request(worker, 0)).await.unwrap().claims[0];

    let (mut holder, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    tokio::spawn(driver);
    let held = holder.transaction().await.unwrap();
    held.batch_execute(&format!("SELECT FROM {}.task FOR UPDATE", schema.name())).await.unwrap();
    let late = stalled.finish(end(claim, 1, graph.complete("\"late\"")), request(worker, 1));
    let (late, ()) = tokio::join!(late, async {
        schema.until_somebody_waits().await;
        proxy.set(Mode::Stall);
        held.commit().await.unwrap();

        let orphaned = until_orphaned(&other).await;
        assert_eq!(orphaned, [claim]);
        let ended = other.finish(end(claim, 2, failed(Some(at(2)))), request(taker, 2)).await;
        assert!(matches!(ended, Ok(Finished::Recorded { .. })), "{ended:?}");
        proxy.set(Mode::Forward);
    });
    assert!(matches!(late, Ok(Finished::Stale)), "{late:?}");
}

#[tokio::test]
async fn another_worker_takes_over_from_one_that_is_not_heard_of() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let (mut log, gate) = (Log::listen(), Gate::default());
    let stalled: Tasker =
        gate.keeps(on_store(&schema.url_at(proxy.address(), "lease=1"), "a"), "a").build().await.unwrap();
    let id = stalled.create_task(new_task()).await.unwrap();
    gate.entered.notified().await;
    proxy.set(Mode::Stall);

    let other =
        on_store(&schema.url_with("lease=600"), "a").handler_fn("a", async |_| StepResult::Ok("right"));
    let other = other.build().await.unwrap();
    let task = other.wait(id).await.unwrap();
    let outcomes: Vec<_> = task.steps[0].attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Crashed, AttemptOutcome::Complete]);

    gate.go.notify_one();
    proxy.set(Mode::Forward);
    log.line(&["the claim was revoked; the answer is dropped", &id.to_string()]).await;
    let task = stalled.wait(id).await.unwrap();
    assert_eq!(task.step_output::<String>("a").unwrap(), "right");
    stalled.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn a_store_that_cannot_record_all_claims_nothing_from_the_queue() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let application = schema.name();
    let settings = format!("lease=600&writers=2&application_name={application}");
    let store = Arc::new(PostgresStore::open(&schema.url_at(proxy.address(), &settings)).await.unwrap());
    let (graph, worker) = (Shape::new(vec![vec![]]), WorkerId::random());
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(record()).await.unwrap();
    let create = async |any, limit| {
        let request = ClaimRequest { any, limit, ..request(worker, 0) };
        new(store.create_task(new_record(&graph, 0), request).await.unwrap())
    };
    // One of the second writer's, who writes the tasks with odd ids.
    let held = loop {
        let claimed = create(false, 1).await;
        if claimed.claims[0].task.0.as_u128() % 2 == 1 {
            break claimed.claims[0];
        }
    };
    create(false, 0).await;

    // The writers were the first to connect.
    let second = "SELECT pg_terminate_backend(pid)
        FROM (
            SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY backend_start LIMIT 1 OFFSET 1
        ) AS second";
    proxy.set(Mode::Refuse);
    let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    assert!(client.query_one(second, &[&application]).await.unwrap().get::<_, bool>(0));
    let refused = proxy.refused();
    let finishing = {
        let (store, attempt) = (Arc::clone(&store), end(held, 1, graph.complete("1")));
        tokio::spawn(async move { store.finish(attempt, request(worker, 1)).await })
    };
    refused.await;
    let claimed = store.claim(request(worker, 1)).await.unwrap();
    assert!(claimed.claims.is_empty() && !claimed.more, "{claimed:?}");

    proxy.set(Mode::Forward);
    let finished = finishing.await.unwrap().unwrap();
    let Finished::Recorded { claimed, .. } = finished else { panic!("{finished:?}") };
    // It asked for what is in the queue as well, and may have it now.
    assert_eq!(claimed.claims.len(), 1);
    drop(client);
    driver.await.unwrap().unwrap();
}
