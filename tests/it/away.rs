//! What happens when PostgreSQL cannot be reached, or does not hear of a worker.

use std::sync::Arc;

use tasker_runtime::store::conformance::{
    Graph, at, failed, new, new_task as new_record, template as record,
};
use tasker_runtime::store::{ClaimRequest, Finished, FinishedAttempt, Store, WorkerInfo};
use tasker_runtime::{
    AttemptOutcome, Builder, PostgresStore, StepContext, StepResult, TaskFilter, TaskState, Tasker, WorkerId,
};
use tokio::sync::Notify;

use crate::log::Log;
use crate::postgres::proxy::{Mode, Proxy};
use crate::postgres::{Schema, address};
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

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let builder = on_store(&schema.url_at(proxy.address(), "lease=600"), "a");
    let tasker = recording(builder, &Ledger::default(), &["a"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    tasker.wait(id).await.unwrap();

    break_off(&proxy);
    let error = tasker.create_task(new_task()).await.unwrap_err().to_string();
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
    let request = |worker, second| ClaimRequest {
        worker,
        limit: 1,
        any: true,
        now: at(second),
        passed: Arc::default(),
        namespaces: None,
    };
    let graph = Graph::new(vec![vec![], vec![0]]);
    stalled.put_template(record()).await.unwrap();
    let created = stalled.create_task(new_record(&graph, 0), request(worker, 0)).await.unwrap();
    let claim = new(created).claims[0];

    proxy.set(Mode::Stall);
    let abandoned = loop {
        let abandoned = other.abandoned().await.unwrap();
        if !abandoned.is_empty() {
            break abandoned;
        }
    };
    assert_eq!(abandoned, [claim]);
    let end = |claim, second, ending| FinishedAttempt {
        claim,
        started_at: at(second),
        finished_at: at(second),
        ending,
    };
    let crashed = end(claim, 1, failed(Some(at(1))));
    let ended = other.finish(crashed, request(taker, 1)).await.unwrap();
    let Finished::Recorded { claimed, .. } = ended else { panic!("{ended:?}") };
    let [second] = claimed.claims[..] else { panic!("{claimed:?}") };
    assert_eq!((second.step, second.attempt, second.worker), (0, 2, taker));

    // On its way before the next attempt has ended, and heard of after that.
    let late = stalled.finish(end(claim, 2, graph.complete(0, "\"late\"")), request(worker, 2));
    let (late, ()) = tokio::join!(late, async {
        let ended = other.finish(end(second, 3, graph.complete(0, "\"right\"")), request(taker, 3)).await;
        assert!(matches!(ended, Ok(Finished::Recorded { .. })), "{ended:?}");
        proxy.set(Mode::Forward);
    });
    assert!(matches!(late, Ok(Finished::Stale)), "{late:?}");
    let inputs = other.inputs(claim.task, &[0]).await.unwrap().unwrap();
    assert_eq!(inputs.results[0].as_ref().unwrap().get(), "\"right\"");
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
    log.line(&["the claim was lost; the answer is dropped", &id.to_string()]).await;
    let task = stalled.wait(id).await.unwrap();
    assert_eq!(task.step_output::<String>("a").unwrap(), "right");
    stalled.shutdown().await;
    other.shutdown().await;
}
