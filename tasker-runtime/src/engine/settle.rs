//! Records what came of an attempt, and passes on what follows from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::{
    AttemptOutcome, AttemptRecord, Claim, Ending, ErrorKind, Finished, FinishedAttempt, StoreError,
    TaskState, chain, later,
};

use crate::build::bind::BoundTemplate;
use crate::client::event::Event;
use crate::engine::Engine;
use crate::engine::attempt::{Answer, Failure, Job, Prepared};
use crate::engine::backoff;
use crate::engine::tasks::ActiveTask;
use crate::handler::step_error::StepError;

/// The first and the longest pause before a failing store is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Repeats an operation until the store answers, or fails in a way that asking again cannot mend.
/// `None` when the worker leaves before that.
pub(super) async fn insist<T, F: Future<Output = Result<T, StoreError>>>(
    engine: &Engine,
    claim: Claim,
    mut operation: impl FnMut() -> F,
) -> Option<Result<T, StoreError>> {
    let mut pause = PAUSES.0;
    loop {
        match operation().await {
            Ok(value) => return Some(Ok(value)),
            Err(error) if error.is_lasting() => return Some(Err(error)),
            Err(error) => {
                tracing::error!(task = %claim.task, step = claim.step, attempt = claim.attempt, error = %chain(&error), "the store failed; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
            () = engine.aborting.cancelled() => return None,
        }
    }
}

/// Records an attempt. What to run next on the same slot, when the store had something.
pub(super) async fn record(
    engine: &Arc<Engine>,
    claim: Claim,
    prepared: &Prepared,
    started_at: Timestamp,
    answer: Answer,
) -> Option<Job> {
    let bound = &prepared.bound;
    let step = &bound.steps[claim.step as usize];
    let now = engine.clock.now();
    let (ending, followers) = match answer {
        Answer::Interrupted => {
            engine.hand_back(vec![claim]).await;
            return None;
        }
        Answer::Lost => {
            // Whoever ended it has recorded that.
            return None;
        }
        Answer::Complete(result, writes) => (
            Ending::Complete {
                result,
                dependents: Arc::clone(&step.dependents),
                ends: bound.ends(claim.step),
                writes: writes.into(),
            },
            step.dependents.len(),
        ),
        Answer::Failed(Failure { outcome, error, retry_after }) => {
            let policy = &bound.template.steps[claim.step as usize].retry;
            let used = claim.attempt - claim.attempts_before_reset;
            let may_retry = error.kind == ErrorKind::Retryable && used < policy.attempts();
            let delay = || {
                retry_after.unwrap_or_else(|| {
                    backoff::delay(policy, used, engine.settings.backoff_scale, engine.clock.random())
                })
            };
            let retry_at = may_retry.then(|| later(now, delay()));
            (Ending::Failed { outcome, error, retry_at }, 0)
        }
    };
    // Our own slot is about to be free; the others are for the rest of a fan-out.
    let slots = engine.take_slots(followers.saturating_sub(1));
    let room = 1 + slots.as_ref().map_or(0, tokio::sync::OwnedSemaphorePermit::num_permits);
    let attempt = FinishedAttempt { claim, started_at, finished_at: now, ending };
    prepared.task.record(AttemptRecord::from(&attempt));
    let finished = insist(engine, claim, || {
        let request = engine.request(room, engine.backlog.load(Ordering::SeqCst));
        engine.store.finish(attempt.clone(), request)
    });
    let finished = finished.await;
    if !matches!(finished, Some(Ok(Finished::Recorded { .. }))) {
        prepared.task.unrecord(claim.step, claim.attempt);
    }
    let finished = match finished? {
        Ok(finished) => finished,
        Err(error @ StoreError::Write { passing, .. }) => {
            let reason = error.to_string();
            let error = if passing { StepError::retryable(reason) } else { StepError::permanent(reason) };
            let failure = Failure::new(AttemptOutcome::Failed, &error.with_code("TRANSACTION"));
            return Box::pin(record(engine, claim, prepared, started_at, Answer::Failed(failure))).await;
        }
        Err(error) => {
            tracing::error!(task = %claim.task, step = claim.step, attempt = claim.attempt, error = %chain(&error), "the attempt cannot be recorded");
            return None;
        }
    };
    let mut claims = match finished {
        Finished::Stale => {
            tracing::warn!(task = %claim.task, step = claim.step, attempt = claim.attempt, "the claim was lost; the answer is dropped");
            return None;
        }
        Finished::Recorded { claimed, settled } => {
            announce(engine, Some(bound), &attempt, settled, Some(&prepared.task));
            if claimed.more {
                engine.backlog.store(true, Ordering::SeqCst);
                engine.wake.notify_one();
            }
            claimed.claims
        }
    };
    let next = claims.pop().map(|claim| Job::new(claim, Some(&prepared.task), None));
    // `room` counted our own slot, which `next` keeps: there is one for each of the others.
    engine.spawn_all(claims, Some(&prepared.task), slots);
    next
}

/// Ends an attempt whose worker died.
pub(super) async fn crashed(engine: &Arc<Engine>, claim: Claim) -> Result<(), StoreError> {
    let bound = match engine.templates.get(claim.template, &*engine.store).await {
        Ok(bound) => bound,
        Err(error) if error.is_lasting() => return cannot_run(engine, claim, &chain(&error)).await,
        Err(error) => return Err(error),
    };
    let now = engine.clock.now();
    // The next attempt is made at once: nothing says that the step was to blame. If it was, attempts run out.
    let used = claim.attempt - claim.attempts_before_reset;
    let may_retry = used < bound.template.steps[claim.step as usize].retry.attempts();
    let error = StepError::retryable("the worker's process ended during the attempt")
        .with_code("WORKER_DIED")
        .record();
    let ending =
        Ending::Failed { outcome: AttemptOutcome::Crashed, error, retry_at: may_retry.then_some(now) };
    end_unseen(engine, claim, Some(&bound), ending).await
}

/// Ends an attempt that cannot begin: what the store holds of its task cannot be read.
pub(super) async fn cannot_run(engine: &Arc<Engine>, claim: Claim, reason: &str) -> Result<(), StoreError> {
    let error = StepError::permanent(reason).with_code("UNREADABLE").record();
    let ending = Ending::Failed { outcome: AttemptOutcome::Failed, error, retry_at: None };
    end_unseen(engine, claim, None, ending).await
}

/// Ends an attempt whose handler was not seen to run here.
async fn end_unseen(
    engine: &Arc<Engine>,
    claim: Claim,
    bound: Option<&BoundTemplate>,
    ending: Ending,
) -> Result<(), StoreError> {
    let (started_at, finished_at) = (claim.claimed_at, engine.clock.now());
    let attempt = FinishedAttempt { claim, started_at, finished_at, ending };
    if let Finished::Recorded { settled, .. } =
        engine.store.finish(attempt.clone(), engine.request(0, false)).await?
    {
        announce(engine, bound, &attempt, settled, None);
        engine.wake.notify_one();
    }
    Ok(())
}

/// Tells whoever watches, now that it is durable.
fn announce(
    engine: &Engine,
    bound: Option<&BoundTemplate>,
    attempt: &FinishedAttempt,
    settled: Option<TaskState>,
    task: Option<&Arc<ActiveTask>>,
) {
    let claim = attempt.claim;
    // A template that cannot be read gives no names.
    let step = bound.map(|bound| &bound.template.steps[claim.step as usize]);
    let name = || step.map_or_else(|| format!("#{}", claim.step), |step| step.name.clone());
    let (outcome, error, retry_at) = match &attempt.ending {
        Ending::Complete { .. } => (AttemptOutcome::Complete, None, None),
        Ending::Failed { outcome, error, retry_at } => (*outcome, Some(error), *retry_at),
    };
    if let Some(error) = error {
        let handler = step.map(|step| step.handler.callable.as_str()).unwrap_or_default();
        tracing::warn!(
            task = %claim.task, step = name(), handler, attempt = claim.attempt, %error,
            final_ = retry_at.is_none(), "an attempt failed"
        );
    }
    engine.emit(|| Event::StepFinished {
        task: claim.task,
        step: name(),
        attempt: claim.attempt,
        outcome,
        error: error.map(ToString::to_string),
        retry_at,
        at: attempt.finished_at,
    });
    if retry_at.is_some() {
        // The dispatcher sleeps until the earliest due time that it knows of.
        engine.wake.notify_one();
    }
    if let Some(state) = settled {
        engine.emit(|| Event::TaskSettled { task: claim.task, state });
        // In this order: who asks in between finds that the store knows.
        engine.tasks.settle(claim.task);
        engine.waiters.settle(claim.task, || {
            let (task, bound) = task.zip(bound).filter(|_| state == TaskState::Complete)?;
            task.completed(bound.plan.len(), attempt.finished_at)
        });
    }
}
