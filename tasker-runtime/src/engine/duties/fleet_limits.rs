//! Learns the fleet limits from the store, and asks it for permits: in bulk, and beside what runs.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::{PermitDemand, PermitRequest, StoreError, chain};
use tokio::time::Instant;

use crate::engine::admission::AskIntervals;
use crate::engine::duty::{AFTER_ERROR, Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// Permits that were not granted are asked for again after about this long, or after the poll interval if
/// that is shorter.
const RETRY: Duration = Duration::from_millis(250);
/// What is held is asked for anew this often: what is not used goes back, and others may be due a part.
const RENEWAL: Duration = Duration::from_secs(1);
/// How long a worker that leaves waits for the store to take permits back.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Learns the fleet limits once a poll interval, and asks for permits when they are needed.
#[derive(Debug)]
pub(super) struct KeepFleetLimits {
    /// When to read the limits again.
    learn_at: Instant,
}

impl Default for KeepFleetLimits {
    fn default() -> Self {
        Self { learn_at: Instant::now() }
    }
}

impl Duty<Engine> for KeepFleetLimits {
    const NAME: &'static str = "fleet limits";

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        let intervals = engine.ask_intervals();
        engine.expire_permits();
        let demands = engine.admission.demands(intervals);
        if !demands.is_empty() || self.learn_at <= Instant::now() {
            if let Err(error) = engine.ask_for_permits(demands).await {
                let (worker, error) = (engine.worker, chain(&error));
                tracing::warn!(%worker, %error, "the store could not be asked for permits");
                return after(AFTER_ERROR);
            }
            self.learn_at = Instant::now() + engine.jittered(engine.settings.poll_interval);
            engine.expire_permits();
        }
        let next = engine.admission.next_change(intervals).map_or(self.learn_at, |at| at.min(self.learn_at));
        let admission = Arc::clone(&engine.admission);
        Box::pin(async move {
            tokio::select! {
                () = admission.permits_due.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        })
    }

    /// Gives back every permit that no attempt uses: while the last attempts end, others may have them.
    async fn stop(&mut self, engine: &Arc<Engine>) {
        let demands = engine.admission.last_demands(engine.ask_intervals());
        if !demands.is_empty()
            && let Ok(Err(error)) = tokio::time::timeout(LAST_WORD, engine.ask_for_permits(demands)).await
        {
            let (worker, error) = (engine.worker, chain(&error));
            tracing::debug!(%worker, %error, "permits go back only when the worker has left");
        }
    }
}

impl Engine {
    fn ask_intervals(&self) -> AskIntervals {
        let retry = self.jittered(RETRY.min(self.settings.poll_interval));
        AskIntervals { retry, renewal: RENEWAL }
    }

    /// Lets permits and starts expire, and wakes the dispatcher if steps may be claimed that were excluded.
    fn expire_permits(&self) {
        if self.admission.expire() {
            self.wake.notify_one();
        }
    }

    /// Asks the store for permits, and learns which fleet limits there are.
    pub(in crate::engine) async fn ask_for_permits(
        &self,
        demands: Vec<PermitDemand>,
    ) -> Result<(), StoreError> {
        let request = PermitRequest { worker: self.worker, demands, now: self.clock.now() };
        let grants = self.store.permits(request).await?;
        if !grants.granted.is_empty() {
            tracing::debug!(worker = %self.worker, granted = ?grants.granted, "permits were asked for");
        }
        // In this order: what was granted is by the limits that came with it.
        self.admission.learn_limits(&grants.limits);
        self.admission.take(&grants);
        Ok(())
    }
}
