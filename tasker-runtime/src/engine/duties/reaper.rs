//! Ends the attempts of workers that died.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::chain;

use crate::engine::completion;
use crate::engine::duty::{Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// Ends the attempts of workers that died, once a reap interval, and at least twice a lease where the store's
/// workers have one.
#[derive(Debug)]
pub(super) struct Reap;

impl Duty<Engine> for Reap {
    const NAME: &'static str = "reaper";

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        engine.end_orphaned().await;
        let half_a_lease = engine.store.lease().map_or(Duration::MAX, |lease| lease / 2);
        after(engine.jittered(engine.settings.reap_interval.min(half_a_lease)))
    }
}

impl Engine {
    /// Ends the attempts whose workers have died, as crashed.
    async fn end_orphaned(self: &Arc<Self>) {
        let claims = match self.store.orphaned().await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(
                    worker = %self.worker,
                    error = %chain(&error),
                    "the store could not be asked for dead workers"
                );
                return;
            }
        };
        for claim in claims {
            if let Err(error) = completion::crashed(self, claim).await {
                tracing::warn!(
                    task = %claim.task, step = %claim.key, error = %chain(&error),
                    "a dead worker's step could not be ended"
                );
            }
        }
    }
}
