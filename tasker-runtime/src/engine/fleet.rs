//! A look at the workers and limits of the store, for those who ask what a task waits for.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::StoreError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::waits::Fleet;
use crate::engine::shared::Engine;

/// How long a look is good for, however often it is asked for: what it shows may be this old.
const FRESH: Duration = Duration::from_secs(1);

/// The last look, and when it was taken.
#[derive(Debug, Default)]
pub(super) struct FleetLook(Mutex<Option<(Instant, Arc<Fleet>)>>);

impl Engine {
    /// The workers and limits of the store, read at most once a second, or once a poll interval where that is
    /// shorter.
    pub(crate) async fn fleet(&self) -> Result<Arc<Fleet>, StoreError> {
        let mut last = self.fleet_look.0.lock().await;
        let fresh = FRESH.min(self.settings.poll_interval);
        if let Some((at, fleet)) = &*last
            && at.elapsed() < fresh
        {
            return Ok(Arc::clone(fleet));
        }
        let fleet = Fleet { workers: self.store.workers().await?, limits: self.store.limits().await? };
        let fleet = Arc::new(fleet);
        *last = Some((Instant::now(), Arc::clone(&fleet)));
        Ok(fleet)
    }
}
