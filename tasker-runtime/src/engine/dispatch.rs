//! Looks for due steps, and for the steps of workers that died.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::chain;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, settle};

/// At most this many claims in one operation.
const BATCH: usize = 256;
/// How long to leave a store alone that has just failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Claims what is due, until the engine stops or is gone.
pub(super) async fn dispatch(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let Pause { longest, due } = strong.claim_due().await;
        // Whoever drops the engine ends it: nothing is held while waiting.
        let (clock, woken) = (strong.clock.clone(), strong.wake_signal());
        let store = Arc::clone(&strong.store);
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = woken => {}
            () = store.notified() => {}
            () = tokio::time::sleep(longest) => {}
            () = async { clock.sleep_until(due.unwrap_or_default()).await }, if due.is_some() => {}
        }
    }
}

/// Ends the attempts of workers that died, until the engine stops or is gone.
pub(super) async fn reap(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        strong.end_abandoned().await;
        // A short lease is of no use to those who look less often than it ends.
        let shortest = strong.store.lease().map_or(Duration::MAX, |lease| lease / 2);
        let pause = strong.about(strong.settings.reap_interval.min(shortest));
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// When to look for due steps again, if nobody calls before.
struct Pause {
    /// After this time at the latest, whatever becomes of the wall clock.
    longest: Duration,
    /// When the next step is due.
    due: Option<Timestamp>,
}

impl Engine {
    /// Completes when somebody calls for the dispatcher.
    fn wake_signal(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.wake).notified_owned()
    }

    /// About an interval: what polls has jitter, so that workers spread out.
    pub(super) fn about(&self, interval: Duration) -> Duration {
        interval.mul_f64(0.9 + 0.2 * self.clock.random())
    }

    /// Claims until nothing is due or nothing is free.
    async fn claim_due(self: &Arc<Self>) -> Pause {
        let poll = Pause { longest: self.about(self.settings.poll_interval), due: None };
        while !self.stopping.is_cancelled() {
            // What there is little room for is claimed apart: most of a large claim would be handed back.
            let scarce = self.room.scarce();
            let few = scarce.as_ref().map(|scarce| (scarce.room.min(BATCH), None));
            let many = (BATCH, scarce.map(|scarce| scarce.without));
            let (mut more, mut due) = (false, None::<Timestamp>);
            for (most, excluded) in few.into_iter().chain([many]) {
                let Some(slots) = self.slots_for_claims(most) else { return poll };
                let mut request = self.request(slots.num_permits(), true);
                request.excluded = excluded.unwrap_or(request.excluded);
                match self.store.claim(request).await {
                    Ok(claimed) => {
                        self.spawn_all(claimed.claims, None, Some(slots));
                        more |= claimed.more;
                        due = due.into_iter().chain(claimed.next_due).min();
                    }
                    Err(error) => {
                        tracing::error!(worker = %self.worker, error = %chain(&error), "due steps could not be claimed; trying again");
                        return Pause { longest: AFTER_ERROR, due: None };
                    }
                }
            }
            if !more {
                return Pause { due, ..poll };
            }
            self.backlog.store(true, Ordering::SeqCst);
        }
        poll
    }

    /// Slots for at most so many claims; `None` when nothing is free, and whoever frees one calls.
    fn slots_for_claims(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        loop {
            // Half of what is free: while the store is asked, tasks that are created here need slots as well,
            // and without one they come into the queue that is being asked for.
            let free = self.slots.available_permits();
            if let Some(slots) = self.take_slots(free.div_ceil(2).min(most)) {
                // Lowered before, and raised after: a step that becomes due in between is not forgotten.
                self.backlog.store(false, Ordering::SeqCst);
                return Some(slots);
            }
            // Whoever frees a slot looks at this and calls; looking once more closes the gap between the two.
            self.backlog.store(true, Ordering::SeqCst);
            if self.slots.available_permits() == 0 {
                return None;
            }
        }
    }

    async fn end_abandoned(self: &Arc<Self>) {
        let claims = match self.store.orphaned().await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(worker = %self.worker, error = %chain(&error), "the store could not be asked for dead workers");
                return;
            }
        };
        for claim in claims {
            if let Err(error) = settle::crashed(self, claim).await {
                tracing::warn!(task = %claim.task, step = claim.step, error = %chain(&error), "a dead worker's step could not be ended");
            }
        }
    }
}
