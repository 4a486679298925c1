//! One attempt: calls the handler, and finds out how that ended.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::{AttemptOutcome, ErrorKind, ErrorRecord, Json, SqlWrite};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::build::bind::BoundStep;
use crate::build::payload_limits::PayloadLimits;
use crate::build::registry::Handler;
use crate::engine::job::Prepared;
use crate::engine::panics;
use crate::engine::shared::Engine;
use crate::handler::step_error::StepError;
use crate::handler::threads::{AttemptThreads, Watched};
use crate::handler::{RunFacts, StepContext, StepFuture, StepOutcome};

/// How an attempt ended in this worker.
#[derive(Debug)]
pub(super) enum AttemptEnd {
    /// The handler returned this result, and asked for these writes in the result's transaction.
    Complete(Json, Vec<SqlWrite>),
    /// The handler failed, panicked or took too long, or returned what the step may not have.
    Failed(Failure),
    /// The worker is leaving. The attempt does not count, and its step is handed back.
    Interrupted,
    /// The claim was revoked: whoever did that has recorded the end of the attempt.
    Revoked,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: AttemptOutcome,
    pub(super) error: ErrorRecord,
    /// The delay that the handler asked for before the next attempt.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(outcome: AttemptOutcome, error: &StepError, limits: &PayloadLimits) -> Self {
        Self { outcome, error: error.record(limits), retry_after: error.retry_after() }
    }

    /// Whether a handler that was told to end may have failed for that alone.
    fn is_interruption(&self) -> bool {
        self.outcome == AttemptOutcome::Failed && self.error.kind == ErrorKind::Retryable
    }
}

/// An attempt that has begun: when, and the span that its events are in.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) at: Timestamp,
    pub(super) span: Span,
}

impl Started {
    /// The span costs nothing, and its fields are not evaluated, unless a subscriber asks for it.
    pub(super) fn new(prepared: &Prepared, at: Timestamp) -> Self {
        let claim = &prepared.claim;
        let span = tracing::info_span!(
            "step",
            task = %claim.task,
            step = prepared.declared().name.as_str(),
            attempt = claim.attempt,
            correlation_id = %prepared.task.facts.correlation_id,
            callable = prepared.declared().handler.callable.as_str(),
        );
        Self { at, span }
    }
}

/// Calls the handler, and tells it to end when the worker stops or the claim is revoked. The handler runs
/// inside `span`, its destructors too.
pub(super) async fn call(
    engine: &Arc<Engine>,
    handler: &Handler,
    prepared: &Prepared,
    (threads, revoked): (Arc<AttemptThreads>, CancellationToken),
    span: &Span,
) -> AttemptEnd {
    let (claim, step) = (&prepared.claim, prepared.step());
    let cancellation = engine.stopping.child_token();
    let context = StepContext::new(
        Arc::clone(&prepared.task.facts),
        Arc::clone(&step.facts),
        RunFacts::from(claim),
        Arc::clone(&prepared.inputs),
        Arc::clone(&engine.states),
        cancellation.clone(),
        Some(Arc::<Engine>::downgrade(engine)),
    )
    .with_limits(engine.settings.payload_limits);
    // However the attempt ends: what it has begun on other threads is told to end as well.
    let _cancelled_at_the_end = cancellation.clone().drop_guard();
    let timeout = step.timeout.unwrap_or(engine.settings.step_timeout);
    let writes = context.writes().clone();
    let limits = engine.settings.payload_limits;
    let attempt = run_handler(step, limits, || handler.call(context)).instrument(span.clone());
    let place = pin!(Some(attempt));
    let mut attempt = Watched::new(place, threads);
    let end = tokio::select! {
        biased;
        end = &mut attempt => match end {
            AttemptEnd::Failed(failure) if engine.is_stopped() && failure.is_interruption() => {
                AttemptEnd::Interrupted
            }
            end => end,
        },
        // Not by the wall clock, which can be set while the handler runs.
        () = tokio::time::sleep(timeout) => {
            let message = format!(
                "the attempt took longer than {} s; `timeout_seconds` of the step sets the limit",
                timeout.as_secs_f64()
            );
            let error = StepError::retryable(message).with_code("TIMEOUT");
            AttemptEnd::Failed(Failure::new(AttemptOutcome::TimedOut, &error, &limits))
        }
        () = engine.aborting.cancelled() => AttemptEnd::Interrupted,
        // The handler is told to end, and is ended when it has not after a while.
        () = async {
            revoked.cancelled().await;
            cancellation.cancel();
            tokio::time::sleep(engine.settings.grace).await;
        } => AttemptEnd::Revoked,
    };
    // A handler that is ended early runs its destructors now; they may panic like any code of its own.
    if catch_unwind(AssertUnwindSafe(|| attempt.drop_handler())).is_err() {
        tracing::warn!(
            task = %claim.task, step = %claim.key, attempt = claim.attempt,
            "a destructor of the handler panicked"
        );
    }
    match end {
        AttemptEnd::Complete(result, _) => AttemptEnd::Complete(result, writes.take()),
        end => end,
    }
}

/// Runs a handler. A panic is a failure like any other, whether it comes from the handler, from its
/// destructors, or from the text of its error; so is a result that the step may not have.
async fn run_handler(
    step: &BoundStep,
    limits: PayloadLimits,
    begin: impl FnOnce() -> StepFuture,
) -> AttemptEnd {
    let mut future = match catch_unwind(AssertUnwindSafe(begin)) {
        Ok(future) => future,
        Err(panic) => return panicked(&*panic),
    };
    let outcome = panics::caught(&mut future).await;
    let end = catch_unwind(AssertUnwindSafe(|| {
        drop(future);
        match outcome {
            Ok(StepOutcome::Complete(result)) => match step.check_result(&result, limits) {
                Ok(()) => AttemptEnd::Complete(result, Vec::new()),
                Err(error) => AttemptEnd::Failed(Failure::new(AttemptOutcome::Failed, &error, &limits)),
            },
            Ok(StepOutcome::Fail(error)) => {
                AttemptEnd::Failed(Failure::new(AttemptOutcome::Failed, &error, &limits))
            }
            Err(panic) => panicked(&*panic),
        }
    }));
    end.unwrap_or_else(|panic| panicked(&*panic))
}

fn panicked(panic: &(dyn Any + Send)) -> AttemptEnd {
    let message = format!("the handler panicked: {}", panics::message(panic));
    let error = StepError::retryable(message).with_code("PANIC");
    AttemptEnd::Failed(Failure::new(AttemptOutcome::Panicked, &error, &PayloadLimits::default()))
}
