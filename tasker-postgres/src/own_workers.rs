//! The workers of this process that send heartbeats.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_store::{StoreClock, WorkerId, WorkerInfo};

use crate::known_claims::KnownClaims;

/// The workers of this process that are alive, with what they said of themselves when they registered.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnWorkers {
    infos: Arc<Mutex<HashMap<WorkerId, Arc<WorkerInfo>>>>,
    pub(crate) known_claims: KnownClaims,
    pub(crate) clock: Arc<StoreClock>,
}

/// What a worker writes into its row.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    pub(crate) worker: WorkerId,
    pub(crate) info: Arc<WorkerInfo>,
    /// How many claims it has.
    pub(crate) running: i32,
    /// What the answer says of the database's time is told to it.
    pub(crate) clock: Arc<StoreClock>,
}

impl OwnWorkers {
    pub(crate) fn insert(&self, worker: WorkerId, info: WorkerInfo) {
        self.infos().insert(worker, Arc::new(info));
    }

    pub(crate) fn remove(&self, worker: WorkerId) {
        self.infos().remove(&worker);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.infos().is_empty()
    }

    pub(crate) fn heartbeats(&self) -> Vec<Heartbeat> {
        let infos: Vec<_> = self.infos().iter().map(|(worker, info)| (*worker, Arc::clone(info))).collect();
        infos.into_iter().map(|(worker, info)| self.heartbeat(worker, info)).collect()
    }

    pub(crate) fn heartbeat(&self, worker: WorkerId, info: Arc<WorkerInfo>) -> Heartbeat {
        let running = i32::try_from(self.known_claims.count(worker)).unwrap_or(i32::MAX);
        Heartbeat { worker, info, running, clock: Arc::clone(&self.clock) }
    }

    fn infos(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<WorkerInfo>>> {
        self.infos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
