//! Claims the steps that are due.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::chain;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::duty::{AFTER_ERROR, Duty, Wakeup};
use crate::engine::shared::Engine;

/// The largest number of claims in one operation.
const BATCH: usize = 256;

/// Claims the steps that are due: when somebody calls, when the store notifies, when the next step is due,
/// and once a poll interval.
#[derive(Debug)]
pub(super) struct Dispatch;

impl Duty<Engine> for Dispatch {
    const NAME: &'static str = "dispatch";

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        let NextLook { at_the_latest, due } = engine.claim_due().await;
        let woken = Arc::clone(&engine.wake).notified_owned();
        let (clock, store) = (engine.clock.clone(), Arc::clone(&engine.store));
        Box::pin(async move {
            tokio::select! {
                () = woken => {}
                () = store.notified() => {}
                () = tokio::time::sleep(at_the_latest) => {}
                () = async { clock.sleep_until(due.unwrap_or_default()).await }, if due.is_some() => {}
            }
        })
    }
}

/// When to look for due steps again, if nobody calls before.
struct NextLook {
    /// After this time at the latest, even if the wall clock is set meanwhile.
    at_the_latest: Duration,
    /// When the next step is due, as far as the store told.
    due: Option<Timestamp>,
}

impl Engine {
    /// Claims until nothing more is due, or no slot is free.
    async fn claim_due(self: &Arc<Self>) -> NextLook {
        let poll = NextLook { at_the_latest: self.jittered(self.settings.poll_interval), due: None };
        while !self.is_stopped() {
            let contended = self.admission.contended();
            let few = contended.as_ref().map(|contended| (contended.max.min(BATCH), None));
            let many = (BATCH, contended.map(|contended| contended.excluded_from_others));
            let (mut more, mut due) = (false, None::<Timestamp>);
            for (max, excluded) in few.into_iter().chain([many]) {
                let Some(slots) = self.slots_for_claims(max) else { return poll };
                let mut request = self.claim_request(slots.num_permits(), true);
                request.excluded = excluded.unwrap_or(request.excluded);
                match self.store.claim(request).await {
                    Ok(claimed) => {
                        self.note_claims(&claimed);
                        self.start_attempts(claimed.claims, None, Some(slots));
                        more |= claimed.more;
                        due = due.into_iter().chain(claimed.next_due).min();
                    }
                    Err(error) => {
                        tracing::error!(
                            worker = %self.worker,
                            error = %chain(&error),
                            "due steps could not be claimed; trying again"
                        );
                        return NextLook { at_the_latest: AFTER_ERROR, due: None };
                    }
                }
            }
            if !more {
                return NextLook { due, ..poll };
            }
            self.set_backlog(true);
        }
        poll
    }

    /// Slots for at most `max` claims. `None` when none is free: whoever frees one wakes the dispatcher.
    fn slots_for_claims(&self, max: usize) -> Option<OwnedSemaphorePermit> {
        loop {
            // Half of what is free: while the store is asked, tasks that are created here need slots as well,
            // and without one they come into the queue that is being asked for.
            let half = self.free_slots().div_ceil(2);
            if let Some(slots) = self.take_slots(half.min(max)) {
                // Lowered before the store is asked, and raised after: a step that becomes due in between is
                // not forgotten.
                self.set_backlog(false);
                return Some(slots);
            }
            // Whoever frees a slot reads the backlog after that; here the slots are read after the backlog is
            // set. So one of the two sees what the other did.
            self.set_backlog(true);
            if self.free_slots() == 0 {
                return None;
            }
        }
    }
}
