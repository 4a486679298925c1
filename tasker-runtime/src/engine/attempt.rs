//! One attempt: from a claim to what the handler answered.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tasker_store::{AttemptOutcome, Claim, ErrorKind, ErrorRecord, Json, SqlWrite, StoreError, chain};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::build::bind::{BoundStep, BoundTemplate};
use crate::build::payload_limits::Limits;
use crate::build::registry::Handler;
use crate::client::event::Event;
use crate::engine::room::{Entry, Place};
use crate::engine::tasks::ActiveTask;
use crate::engine::{Engine, settle};
use crate::handler::step_error::StepError;
use crate::handler::{StepContext, StepFuture, StepInputs, StepOutcome};

/// A claim to run, and its task where that is at hand.
pub(super) struct Job {
    pub(super) claim: Claim,
    task: Option<Arc<ActiveTask>>,
    /// Its place, when it has one already.
    place: Option<Place>,
}

impl Job {
    pub(super) fn new(claim: Claim, known: Option<&Arc<ActiveTask>>, place: Option<Place>) -> Self {
        Self { claim, task: known.filter(|task| task.facts.id == claim.task).cloned(), place }
    }
}

/// A claim with all that running it takes.
pub(super) struct Prepared {
    pub(super) bound: Arc<BoundTemplate>,
    pub(super) task: Arc<ActiveTask>,
    inputs: StepInputs,
}

/// What came of an attempt.
pub(super) enum Answer {
    Complete(Json, Vec<SqlWrite>),
    Failed(Failure),
    /// The worker is leaving: nobody is to blame, and the attempt does not count.
    Interrupted,
    /// The claim no longer holds, and nobody waits for the answer.
    Lost,
}

/// Why an attempt failed.
pub(super) struct Failure {
    pub(super) outcome: AttemptOutcome,
    pub(super) error: ErrorRecord,
    /// What the handler asked for.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(outcome: AttemptOutcome, error: &StepError) -> Self {
        Self { outcome, error: error.record(), retry_after: error.retry_after() }
    }

    /// Whether a handler that was told to end may have failed for that alone.
    fn is_interruption(&self) -> bool {
        self.outcome == AttemptOutcome::Failed && self.error.kind == ErrorKind::Retryable
    }
}

/// Runs a claim, and then what recording it has claimed in passing, until nothing follows.
pub(super) async fn run(engine: Arc<Engine>, job: Job, slot: Option<OwnedSemaphorePermit>) {
    let mut next = Some(job);
    while let Some(job) = next.take() {
        if engine.stopping.is_cancelled() {
            engine.hand_back(vec![job.claim]).await;
            break;
        }
        next = run_one(&engine, job).await;
    }
    drop(slot);
    if engine.backlog.load(Ordering::SeqCst) {
        engine.wake.notify_one();
    }
}

async fn run_one(engine: &Arc<Engine>, mut job: Job) -> Option<Job> {
    let claim = job.claim;
    let prepared = match settle::insist(engine, claim, || prepare(engine, &job)).await {
        Some(Ok(prepared)) => prepared?,
        Some(Err(error)) => {
            let reason = chain(&error);
            settle::insist(engine, claim, || settle::cannot_run(engine, claim, &reason)).await;
            return None;
        }
        None => {
            engine.hand_back(vec![claim]).await;
            return None;
        }
    };
    let place = job.place.take();
    drop(job);
    let enter = || place.map_or_else(|| engine.room.enter(&claim, &engine.wake), Entry::Entered);
    let handler = prepared.bound.steps[claim.step as usize].handler.as_ref();
    let next = match handler.map(|handler| (handler, enter())) {
        Some((handler, Entry::Entered(place))) => {
            let started_at = engine.clock.now();
            engine.emit(|| Event::StepStarted {
                task: claim.task,
                step: prepared.bound.template.steps[claim.step as usize].name.clone(),
                attempt: claim.attempt,
                at: started_at,
            });
            let lost = CancellationToken::new();
            engine.under_way.begin(claim, lost.clone());
            let answer = call(engine, handler, &claim, &prepared, lost).await;
            engine.under_way.end(&claim);
            drop(place);
            settle::record(engine, claim, &prepared, started_at, answer).await
        }
        // As many of its kind as may are running: it waits for one of them to end, or for another worker.
        Some((_, Entry::Full)) => {
            engine.refuse(vec![claim]).await;
            None
        }
        // It is of another namespace.
        Some((_, Entry::Unclear)) => {
            engine.hand_back(vec![claim]).await;
            None
        }
        None => {
            if engine.room.serves(&prepared.bound.template.namespace) {
                engine.tell_missing(&prepared.bound.template.steps[claim.step as usize].handler.callable);
            }
            engine.hand_back(vec![claim]).await;
            None
        }
    };
    engine.tasks.forget(prepared.task);
    next
}

/// `None` when the task is gone.
async fn prepare(engine: &Engine, job: &Job) -> Result<Option<Prepared>, StoreError> {
    let (store, claim) = (&*engine.store, &job.claim);
    let bound = engine.templates.get(claim.template, store).await?;
    engine.room.learn(&bound);
    let reads = &bound.steps[claim.step as usize].facts.reads;
    let task = match &job.task {
        Some(task) => Arc::clone(task),
        None => match engine.tasks.get(claim.task, reads, store).await? {
            Some(task) => task,
            None => return Ok(None),
        },
    };
    let inputs = task.results(reads, store).await?;
    Ok(Some(Prepared { bound, task, inputs }))
}

async fn call(
    engine: &Arc<Engine>,
    handler: &Handler,
    claim: &Claim,
    prepared: &Prepared,
    lost: CancellationToken,
) -> Answer {
    let step = &prepared.bound.steps[claim.step as usize];
    let cancellation = engine.stopping.child_token();
    let context = StepContext::new(
        Arc::clone(&prepared.task.facts),
        Arc::clone(&step.facts),
        (claim.attempt, claim.attempts_before_reset),
        Arc::clone(&prepared.inputs),
        Arc::clone(&engine.states),
        cancellation.clone(),
        Some(Arc::<Engine>::downgrade(engine)),
    );
    // However the attempt ends: what it has begun on other threads is told to end as well.
    let _cancelled_at_the_end = cancellation.clone().drop_guard();
    let limit = step.timeout.unwrap_or(engine.settings.step_timeout);
    let writes = context.writes().clone();
    let mut attempt = Box::pin(caught(step, engine.settings.limits, || handler.call(context)));
    let answer = tokio::select! {
        biased;
        answer = &mut attempt => match answer {
            Answer::Failed(failure) if engine.stopping.is_cancelled() && failure.is_interruption() => Answer::Interrupted,
            answer => answer,
        },
        // Not by the wall clock, which can be set while the handler runs.
        () = tokio::time::sleep(limit) => {
            let message = format!(
                "the attempt took longer than {} s; `timeout_seconds` of the step sets the limit",
                limit.as_secs_f64()
            );
            let error = StepError::retryable(message).with_code("TIMEOUT");
            Answer::Failed(Failure::new(AttemptOutcome::TimedOut, &error))
        }
        () = engine.aborting.cancelled() => Answer::Interrupted,
        // Told to end, and ended when it has not after a while.
        () = async {
            lost.cancelled().await;
            cancellation.cancel();
            tokio::time::sleep(engine.settings.grace).await;
        } => Answer::Lost,
    };
    // A handler that is ended early runs its destructors now; they may panic like any code of its own.
    if catch_unwind(AssertUnwindSafe(|| drop(attempt))).is_err() {
        tracing::warn!(task = %claim.task, step = claim.step, attempt = claim.attempt, "a destructor of the handler panicked");
    }
    match answer {
        Answer::Complete(result, _) => Answer::Complete(result, writes.take()),
        answer => answer,
    }
}

/// Runs a handler; a panic is a failure like any other, whether it comes from the handler, from its
/// destructors, or from the text of its error. So is a result that the step may not have.
async fn caught(step: &BoundStep, limits: Limits, begin: impl FnOnce() -> StepFuture) -> Answer {
    // The handler is not touched again after a panic, so that nobody sees what it left half done.
    let mut future = match catch_unwind(AssertUnwindSafe(begin)) {
        Ok(future) => future,
        Err(panic) => return panicked(&*panic),
    };
    let outcome = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panic)),
    })
    .await;
    let answer = catch_unwind(AssertUnwindSafe(|| {
        drop(future);
        match outcome {
            Ok(StepOutcome::Complete(result)) => match step.check_result(&result, limits) {
                Ok(()) => Answer::Complete(result, Vec::new()),
                Err(error) => Answer::Failed(Failure::new(AttemptOutcome::Failed, &error)),
            },
            Ok(StepOutcome::Fail(error)) => Answer::Failed(Failure::new(AttemptOutcome::Failed, &error)),
            Err(panic) => panicked(&*panic),
        }
    }));
    answer.unwrap_or_else(|panic| panicked(&*panic))
}

fn panicked(panic: &(dyn Any + Send)) -> Answer {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("the handler panicked: {}", text.unwrap_or("without a message"));
    let error = StepError::retryable(message).with_code("PANIC");
    Answer::Failed(Failure::new(AttemptOutcome::Panicked, &error))
}
