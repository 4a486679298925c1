//! Learns the fleet's limits from the store, and asks it for permits: in bulk, and beside what runs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tasker_store::{PermitDemand, PermitRequest, StoreError, chain};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::engine::permits::Pace;

/// Permits that were refused are asked for again after about this long, or the poll interval if that is less.
const AGAIN: Duration = Duration::from_millis(250);
/// What is held is looked over this often: what is not used goes back, and somebody else may want a part.
const RENEW: Duration = Duration::from_secs(1);
/// A worker that leaves waits for the store no longer than this.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long to leave a store alone that has just failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Keeps to the fleet's limits, until the engine stops or is gone.
pub(super) async fn keep(engine: Weak<Engine>, stopping: CancellationToken) {
    let mut learn_at = Instant::now();
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let poll = strong.settings.poll_interval;
        let pace = Pace { again: strong.about(AGAIN.min(poll)), renew: RENEW };
        if strong.room.pass_time() {
            strong.wake.notify_one();
        }
        let wanted = strong.room.ask(pace);
        if !wanted.is_empty() || learn_at <= Instant::now() {
            match strong.ask(wanted).await {
                Ok(()) => learn_at = Instant::now() + strong.about(poll),
                Err(error) => {
                    tracing::warn!(worker = %strong.worker, error = %chain(&error), "the store could not be asked for permits");
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        () = tokio::time::sleep(AFTER_ERROR) => {}
                    }
                }
            }
            if strong.room.pass_time() {
                strong.wake.notify_one();
            }
        }
        let next = strong.room.next(pace).map_or(learn_at, |next| next.min(learn_at));
        let room = Arc::clone(&strong.room);
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => {
                if let Some(engine) = engine.upgrade() {
                    engine.leave_permits(pace).await;
                }
                return;
            }
            () = room.asks.notified() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

impl Engine {
    /// Asks for permits, and learns what is limited.
    pub(super) async fn ask(&self, wanted: Vec<PermitDemand>) -> Result<(), StoreError> {
        let request = PermitRequest { worker: self.worker, wanted, now: self.clock.now() };
        let answer = self.store.permits(request).await?;
        if !answer.granted.is_empty() {
            tracing::debug!(worker = %self.worker, granted = ?answer.granted, "permits were asked for");
        }
        // In this order: what was granted is by the limits that came with it.
        self.room.learn_limits(&answer.limits);
        self.room.take(&answer);
        Ok(())
    }

    /// Gives back what does not run: while the last attempts end, others may have it.
    async fn leave_permits(&self, pace: Pace) {
        let wanted = self.room.ask_for_what_runs(pace);
        if !wanted.is_empty()
            && let Ok(Err(error)) = tokio::time::timeout(LAST_WORD, self.ask(wanted)).await
        {
            tracing::debug!(worker = %self.worker, error = %chain(&error), "permits are given back when the worker is gone");
        }
    }
}
