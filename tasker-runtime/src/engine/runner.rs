//! Runs claims on the worker's slots, and on the same slot what recording an attempt has claimed in passing.

use std::sync::Arc;

use tasker_store::{Claim, chain};
use tokio::sync::OwnedSemaphorePermit;

use crate::client::event::Event;
use crate::engine::active_attempts::BegunAttempt;
use crate::engine::active_tasks::ActiveTask;
use crate::engine::admission::Verdict;
use crate::engine::attempt::Started;
use crate::engine::job::{Job, Prepared};
use crate::engine::shared::Engine;
use crate::engine::store_retry::retry_until_ok;
use crate::engine::{attempt, completion};

impl Engine {
    /// Starts an attempt for each claim that is admitted, on a slot of its own; slots that are left over are
    /// free again. Claims that are not admitted are handed back together. `known` is a task that need not
    /// be read, should a claim be one of its steps.
    pub(super) fn start_attempts(
        self: &Arc<Self>,
        claims: Vec<Claim>,
        known: Option<&Arc<ActiveTask>>,
        mut slots: Option<OwnedSemaphorePermit>,
    ) {
        let mut refused = Vec::new();
        for claim in claims {
            let admission = match self.admission.admit(&claim) {
                Verdict::Admitted(guard) => Some(guard),
                Verdict::Unknown => None,
                Verdict::Full => {
                    refused.push(claim);
                    continue;
                }
            };
            let slot = slots.as_mut().and_then(|slots| slots.split(1));
            self.background.spawn(run(Arc::clone(self), Job::new(claim, known, admission), slot));
        }
        drop(slots);
        if !refused.is_empty() {
            let engine = Arc::clone(self);
            self.background.spawn(async move { engine.refuse(refused).await });
        }
        // Somebody may have looked for a slot while more were held here than there were claims.
        self.wake_for_backlog();
    }
}

/// Runs a claim, and then what recording it has claimed in passing, until nothing follows.
async fn run(engine: Arc<Engine>, job: Job, slot: Option<OwnedSemaphorePermit>) {
    let mut next = Some(job);
    while let Some(job) = next.take() {
        if engine.is_stopped() {
            engine.hand_back(vec![job.claim]).await;
            break;
        }
        next = run_one(&engine, job).await;
    }
    drop(slot);
    engine.wake_for_backlog();
}

async fn run_one(engine: &Arc<Engine>, job: Job) -> Option<Job> {
    let claim = job.claim;
    let prepared = match retry_until_ok(&engine.aborting, claim, || job.prepare(engine)).await {
        Some(Ok(prepared)) => prepared?,
        Some(Err(error)) => {
            let reason = chain(&error);
            let end = || completion::cannot_run(engine, claim, &reason);
            retry_until_ok(&engine.aborting, claim, end).await;
            return None;
        }
        None => {
            engine.hand_back(vec![claim]).await;
            return None;
        }
    };
    let next = run_prepared(engine, &prepared, job).await;
    engine.tasks.forget(prepared.task);
    next
}

async fn run_prepared(engine: &Arc<Engine>, prepared: &Prepared, job: Job) -> Option<Job> {
    let claim = prepared.claim;
    let Some(handler) = prepared.step().handler.clone() else {
        if engine.admission.serves(&prepared.bound.template.namespace)
            && !engine.report_other_environment(&prepared.bound)
        {
            engine.report_missing_handler(&prepared.declared().handler.callable);
        }
        engine.hand_back(vec![claim]).await;
        return None;
    };
    let admission =
        match job.into_admission().map_or_else(|| engine.admission.admit(&claim), Verdict::Admitted) {
            Verdict::Admitted(guard) => guard,
            // A limit is full: the step waits for an attempt under it to end, or for another worker.
            Verdict::Full => {
                engine.refuse(vec![claim]).await;
                return None;
            }
            // The step is of a namespace or an environment that this worker does not serve.
            Verdict::Unknown => {
                engine.report_other_environment(&prepared.bound);
                engine.hand_back(vec![claim]).await;
                return None;
            }
        };
    let started = Started::new(prepared, engine.clock.now());
    engine.emit(|| Event::StepStarted {
        task: claim.task,
        step: prepared.declared().name.clone(),
        instance: claim.key.instance,
        attempt: claim.attempt,
        at: started.at,
    });
    tracing::debug!(parent: &started.span, worker = %engine.worker, "the attempt started");
    let BegunAttempt { place, threads, revoked } =
        engine.attempts.begin(claim, Arc::clone(&prepared.step().facts));
    let end = attempt::call(engine, &handler, prepared, (threads, revoked), &started.span).await;
    engine.attempts.end(place);
    drop(admission);
    let followers = completion::record(engine, prepared, &started, end).await?;
    let mut claims = followers.claims;
    let next = claims.pop().map(|claim| Job::new(claim, Some(&prepared.task), None));
    // Our own slot goes to `next`: the slots that were taken are for each of the others.
    engine.start_attempts(claims, Some(&prepared.task), followers.slots);
    next
}
