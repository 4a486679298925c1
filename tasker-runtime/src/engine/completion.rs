//! Records how an attempt ended, and tells whoever watches, once that is durable.

use std::sync::Arc;

use tasker_store::{
    AttemptOutcome, AttemptRecord, Claim, Ending, ErrorKind, Finished, FinishedAttempt, StoreError,
    TaskState, chain, later,
};
use tokio::sync::OwnedSemaphorePermit;

use crate::build::bind::BoundTemplate;
use crate::build::payload_limits::PayloadLimits;
use crate::client::event::Event;
use crate::engine::active_tasks::ActiveTask;
use crate::engine::attempt::{AttemptEnd, Failure, Started};
use crate::engine::backoff;
use crate::engine::job::Prepared;
use crate::engine::result_origin;
use crate::engine::shared::Engine;
use crate::engine::store_retry::retry_until_ok;
use crate::handler::step_error::StepError;

/// What recording an attempt has claimed in passing.
#[derive(Debug)]
pub(super) struct Followers {
    pub(super) claims: Vec<Claim>,
    /// Slots for all of the claims but one, which takes over the slot of the attempt.
    pub(super) slots: Option<OwnedSemaphorePermit>,
}

/// Records how an attempt ended. `None` when nothing follows, because nothing was recorded.
pub(super) async fn record(
    engine: &Arc<Engine>,
    prepared: &Prepared,
    started: &Started,
    end: AttemptEnd,
) -> Option<Followers> {
    let (claim, bound) = (prepared.claim, &prepared.bound);
    let now = engine.clock.now();
    let (ending, dependents) = match end {
        AttemptEnd::Interrupted => {
            tracing::debug!(parent: &started.span, "the attempt was interrupted; its step is handed back");
            engine.hand_back(vec![claim]).await;
            return None;
        }
        AttemptEnd::Revoked => {
            tracing::debug!(parent: &started.span, "the attempt was ended, for its claim was revoked");
            return None;
        }
        AttemptEnd::Complete(result, writes) => (
            Ending::Complete {
                result,
                graph: Arc::clone(bound.plan.graph()),
                spawned: None,
                writes: writes.into(),
            },
            bound.plan.dependents(claim.key.step).len(),
        ),
        AttemptEnd::Failed(Failure { outcome, mut error, retry_after }) => {
            result_origin::tell(engine, prepared, &mut error).await;
            let policy = &prepared.declared().retry;
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
    // The attempt's own slot is about to be free; others are taken for the rest of a fan-out.
    let slots = engine.take_slots(dependents.saturating_sub(1));
    let free = 1 + slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let attempt = FinishedAttempt { claim, started_at: started.at, finished_at: now, ending };
    prepared.task.remember(AttemptRecord::from(&attempt));
    let finished = retry_until_ok(&engine.aborting, claim, || {
        let request = engine.claim_request(free, engine.has_backlog());
        engine.store.finish(attempt.clone(), request)
    });
    let finished = finished.await;
    if !matches!(finished, Some(Ok(Finished::Recorded { .. }))) {
        prepared.task.forget(claim.key, claim.attempt);
    }
    let finished = match finished? {
        Ok(finished) => finished,
        Err(error @ StoreError::Write { passing, .. }) => {
            let reason = error.to_string();
            let error = if passing { StepError::retryable(reason) } else { StepError::permanent(reason) };
            let error = error.with_code("TRANSACTION");
            let failure = Failure::new(AttemptOutcome::Failed, &error, &engine.settings.payload_limits);
            return Box::pin(record(engine, prepared, started, AttemptEnd::Failed(failure))).await;
        }
        Err(ref error @ StoreError::Refused { .. })
            if let Some(failure) = refused(&attempt.ending, error) =>
        {
            tracing::error!(
                task = %claim.task, step = %claim.key, attempt = claim.attempt, error = %chain(error),
                "the store refused the record of an attempt, which therefore ends as a permanent failure"
            );
            let end = AttemptEnd::Failed(failure);
            return Box::pin(record(engine, prepared, started, end)).await;
        }
        Err(error) => {
            tracing::error!(
                task = %claim.task, step = %claim.key, attempt = claim.attempt, error = %chain(&error),
                "the attempt cannot be recorded"
            );
            return None;
        }
    };
    match finished {
        Finished::Stale => {
            tracing::warn!(
                task = %claim.task, step = %claim.key, attempt = claim.attempt,
                "the claim was revoked; the answer is dropped"
            );
            None
        }
        Finished::Recorded { claimed, settled } => {
            let (outcome, retry_at) = match &attempt.ending {
                Ending::Complete { .. } => (AttemptOutcome::Complete, None),
                Ending::Failed { outcome, retry_at, .. } => (*outcome, *retry_at),
            };
            tracing::debug!(
                parent: &started.span, outcome = outcome.as_str(),
                retry_at = retry_at.map(tracing::field::display), "the attempt ended"
            );
            publish(engine, Some(bound), &attempt, settled, Some(&prepared.task));
            engine.note_claims(&claimed);
            engine.report_left(bound, &claimed);
            if claimed.more {
                engine.set_backlog(true);
                engine.wake.notify_one();
            }
            Some(Followers { claims: claimed.claims, slots })
        }
    }
}

/// The code of an attempt whose record the store has refused.
const RECORD_REFUSED: &str = "RECORD_REFUSED";
/// What is recorded when the store refuses even the reason.
const WITHOUT_REASON: &str = "the store refused the record of this attempt";

/// The failure that is recorded in the place of an attempt that the store refused for what is in its record,
/// such as a character that the database's encoding does not have. It is in ASCII, which every store can hold;
/// should the store refuse it all the same, it is a fixed text. `None` when that was refused as well.
fn refused(ending: &Ending, error: &StoreError) -> Option<Failure> {
    let message = match ending {
        Ending::Complete { .. } => format!("the store refused the result: {}", chain(error)),
        Ending::Failed { error: own, .. } if own.code.as_deref() != Some(RECORD_REFUSED) => {
            format!("the store refused the error of this attempt: {}; the error was: {own}", chain(error))
        }
        Ending::Failed { error: own, .. } if own.message != WITHOUT_REASON => WITHOUT_REASON.to_owned(),
        Ending::Failed { .. } => return None,
    };
    let error = StepError::permanent(ascii(&message)).with_code(RECORD_REFUSED);
    Some(Failure::new(AttemptOutcome::Failed, &error, &PayloadLimits::default()))
}

/// A text in ASCII and on one line; other characters are escaped.
fn ascii(text: &str) -> String {
    let escaped = text.chars().flat_map(|one| {
        let (kept, escaped) = match one {
            ' '..='~' => (Some(one), None),
            _ => (None, Some(one.escape_default())),
        };
        kept.into_iter().chain(escaped.into_iter().flatten())
    });
    escaped.collect()
}

/// Ends an attempt whose worker died.
pub(crate) async fn crashed(engine: &Arc<Engine>, claim: Claim) -> Result<(), StoreError> {
    let bound = match engine.templates.get(claim.template, &*engine.store).await {
        Ok(bound) => bound,
        Err(error) if error.is_lasting() => return cannot_run(engine, claim, &chain(&error)).await,
        Err(error) => return Err(error),
    };
    let now = engine.clock.now();
    // The next attempt is made at once: nothing says that the step was to blame. If it was, attempts run out.
    let used = claim.attempt - claim.attempts_before_reset;
    let may_retry = used < bound.template.steps[claim.key.step as usize].retry.attempts();
    let error = StepError::retryable("the worker's process ended during the attempt")
        .with_code("WORKER_DIED")
        .record(&engine.settings.payload_limits);
    let ending =
        Ending::Failed { outcome: AttemptOutcome::Crashed, error, retry_at: may_retry.then_some(now) };
    record_without_running(engine, claim, Some(&bound), ending).await
}

/// Ends an attempt that cannot begin: what the store holds of its task cannot be read.
pub(super) async fn cannot_run(engine: &Arc<Engine>, claim: Claim, reason: &str) -> Result<(), StoreError> {
    let error =
        StepError::permanent(ascii(reason)).with_code("UNREADABLE").record(&engine.settings.payload_limits);
    let ending = Ending::Failed { outcome: AttemptOutcome::Failed, error, retry_at: None };
    record_without_running(engine, claim, None, ending).await
}

/// Records the end of an attempt whose handler did not run in this worker.
async fn record_without_running(
    engine: &Arc<Engine>,
    claim: Claim,
    bound: Option<&BoundTemplate>,
    ending: Ending,
) -> Result<(), StoreError> {
    let (started_at, finished_at) = (claim.claimed_at, engine.clock.now());
    let attempt = FinishedAttempt { claim, started_at, finished_at, ending };
    if let Finished::Recorded { settled, .. } =
        engine.store.finish(attempt.clone(), engine.claim_request(0, false)).await?
    {
        publish(engine, bound, &attempt, settled, None);
        engine.wake.notify_one();
    }
    Ok(())
}

/// Tells whoever watches how an attempt ended, now that it is durable.
fn publish(
    engine: &Engine,
    bound: Option<&BoundTemplate>,
    attempt: &FinishedAttempt,
    settled: Option<TaskState>,
    task: Option<&Arc<ActiveTask>>,
) {
    let claim = attempt.claim;
    // A template that cannot be read gives no names.
    let step = bound.map(|bound| &bound.template.steps[claim.key.step as usize]);
    let name = || step.map_or_else(|| format!("#{}", claim.key), |step| step.name.clone());
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
        instance: claim.key.instance,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_again_and_again_ends_with_a_text_of_ours() {
        let refusal = || StoreError::Refused { what: "it".to_owned(), source: "no \u{1F600}\n".into() };
        let own = StepError::retryable("caf\u{e9}").with_code("BUSY").record(&PayloadLimits::default());
        let mut ending = Ending::Failed { outcome: AttemptOutcome::Failed, error: own, retry_at: None };
        let mut recorded = Vec::new();
        while let Some(Failure { outcome, error, .. }) = refused(&ending, &refusal()) {
            assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Permanent, Some(RECORD_REFUSED)));
            recorded.push(error.message.clone());
            ending = Ending::Failed { outcome, error, retry_at: None };
        }
        let reason = r"the store refused the error of this attempt: it refused a record: no \u{1f600}\n; ";
        assert_eq!(
            recorded,
            [format!(r"{reason}the error was: caf\u{{e9}} [BUSY]").as_str(), WITHOUT_REASON]
        );
    }
}
