//! Finds the claims of this worker that an operator has revoked in another process.

use std::sync::Arc;

use tasker_store::chain;

use crate::engine::duty::{Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// Asks the store, once a poll interval, which claims of attempts that run here have been revoked, and tells
/// those attempts to end.
#[derive(Debug)]
pub(super) struct FindRevokedClaims;

impl Duty<Engine> for FindRevokedClaims {
    const NAME: &'static str = "revoked claims";

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        let claims = engine.attempts.claims();
        if !claims.is_empty() {
            match engine.store.revoked(claims).await {
                Ok(revoked) => engine.attempts.revoke(&revoked),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the store could not be asked for revoked claims")
                }
            }
        }
        after(engine.jittered(engine.settings.poll_interval))
    }
}
