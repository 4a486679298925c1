//! Looks for due steps, and for the steps of workers that died.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::later;
use crate::engine::{Engine, settle};

/// At most this many claims in one operation.
const BATCH: usize = 256;
/// How long to leave a store alone that has just failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Claims what is due, until the engine stops or is gone.
pub(super) async fn dispatch(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let next = strong.claim_due().await;
        // Whoever drops the engine ends it: nothing is held while waiting.
        let (clock, woken) = (strong.clock.clone(), strong.wake_signal());
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = woken => {}
            () = clock.sleep_until(next) => {}
        }
    }
}

/// Ends the attempts of workers that died, until the engine stops or is gone.
pub(super) async fn reap(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        strong.end_abandoned().await;
        let (clock, next) = (strong.clock.clone(), strong.after(strong.settings.reap_interval));
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = clock.sleep_until(next) => {}
        }
    }
}

impl Engine {
    /// Completes when somebody calls for the dispatcher.
    fn wake_signal(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.wake).notified_owned()
    }

    /// About `interval` from now: what polls has jitter, so that workers spread out.
    fn after(&self, interval: Duration) -> Timestamp {
        later(self.clock.now(), interval.mul_f64(0.9 + 0.2 * self.clock.random()))
    }

    /// Claims until nothing is due or nothing is free. When to look again, if nobody calls before.
    async fn claim_due(self: &Arc<Self>) -> Timestamp {
        let poll = self.after(self.settings.poll_interval);
        while !self.stopping.is_cancelled() {
            let Some(slots) = self.take_slots(BATCH) else {
                // Whoever frees a slot looks at this and calls; looking once more closes the gap between the two.
                self.backlog.store(true, Ordering::SeqCst);
                match self.slots.available_permits() {
                    0 => return poll,
                    _ => continue,
                }
            };
            // Lowered before, and raised after: a step that becomes due in between is not forgotten.
            self.backlog.store(false, Ordering::SeqCst);
            match self.store.claim(self.request(slots.num_permits(), true)).await {
                Ok(claimed) => {
                    self.spawn_all(claimed.claims, None, Some(slots));
                    if !claimed.more {
                        return claimed.next_due.map_or(poll, |due| due.min(poll));
                    }
                    self.backlog.store(true, Ordering::SeqCst);
                }
                Err(error) => {
                    tracing::error!(worker = %self.worker, %error, "due steps could not be claimed; trying again");
                    return self.after(AFTER_ERROR);
                }
            }
        }
        poll
    }

    async fn end_abandoned(self: &Arc<Self>) {
        let claims = match self.store.abandoned().await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(worker = %self.worker, %error, "the store could not be asked for dead workers");
                return;
            }
        };
        for claim in claims {
            if let Err(error) = settle::crashed(self, claim).await {
                tracing::warn!(task = %claim.task, step = claim.step, %error, "a dead worker's step could not be ended");
            }
        }
    }
}
