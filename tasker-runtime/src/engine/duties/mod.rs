//! The background duties of a worker, a file each. How a duty starts, waits and stops is `engine/duty`.

mod dispatch;
mod fleet_limits;
mod reaper;
mod retention;
mod revoked_claims;
mod stale_tasks;

use std::sync::Arc;

use crate::engine::duty::Duties;
use crate::engine::shared::Engine;

/// Starts all duties of a worker.
pub(super) fn start_all(engine: &Arc<Engine>) {
    let duties = Duties { owner: engine, stopping: &engine.stopping, tracker: &engine.background };
    duties.start(fleet_limits::KeepFleetLimits::default());
    duties.start(dispatch::Dispatch);
    duties.start(reaper::Reap);
    duties.start(revoked_claims::FindRevokedClaims);
    duties.start(stale_tasks::GiveUpStaleTasks::default());
    if let Some(retention) = engine.settings.retention {
        duties.start(retention::DeleteOldTasks { retention });
    }
}
