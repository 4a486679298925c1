//! What the writers of a process share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasker_store::{Claim, TaskId, WorkerId};
use tokio::sync::{Notify, RwLock};

use crate::known_claims::KnownClaims;
use crate::settings::ConnectionSettings;
use crate::sweep_schedule::SweepSchedule;
use crate::unanswered::Unanswered;

/// The workers of this process that are alive.
pub(crate) type Workers = Arc<Mutex<HashSet<WorkerId>>>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) workers: Workers,
    pub(crate) known_claims: KnownClaims,
    /// Notified when steps have come into the queue that other processes may want.
    pub(crate) queued: Arc<Notify>,
    /// Each writer has a read lock while its statement is under way. An orphan sweep takes the write lock:
    /// the claims of a statement that has not been answered yet are unknown, but not orphaned.
    pub(crate) write_barrier: RwLock<()>,
    /// How long a writer waits for an answer.
    pub(crate) write_timeout: Duration,
    /// For each shard: whether its writer has lost its connection, and has no other yet.
    disconnected: Vec<AtomicBool>,
    /// For each shard.
    unanswered: Vec<Mutex<Unanswered>>,
    /// `None` while no sweep is needed.
    sweep: Mutex<Option<SweepSchedule>>,
    /// For each shard: claims on its tasks that other writers have made from the queue, and that its
    /// writer has not noted yet.
    claimed_by_others: Vec<Mutex<Vec<Claim>>>,
}

impl Shared {
    pub(crate) fn new(
        settings: &ConnectionSettings,
        workers: Workers,
        known_claims: KnownClaims,
        queued: Arc<Notify>,
    ) -> Self {
        let shards = settings.writers;
        Self {
            workers,
            known_claims,
            queued,
            write_barrier: RwLock::default(),
            write_timeout: settings.write_timeout(),
            disconnected: (0..shards).map(|_| AtomicBool::default()).collect(),
            unanswered: (0..shards).map(|_| Mutex::default()).collect(),
            sweep: Mutex::default(),
            claimed_by_others: (0..shards).map(|_| Mutex::default()).collect(),
        }
    }

    pub(crate) fn set_disconnected(&self, shard: usize, is_disconnected: bool) {
        self.disconnected[shard].store(is_disconnected, Ordering::SeqCst);
    }

    pub(crate) fn is_disconnected(&self, shard: usize) -> bool {
        self.disconnected[shard].load(Ordering::SeqCst)
    }

    /// Whether the writer of a shard gets answers.
    pub(crate) fn unanswered(&self, shard: usize) -> MutexGuard<'_, Unanswered> {
        self.unanswered[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a writer has had no answer for longer than `lease`. What its process has claimed could not be
    /// recorded, and is better left to others.
    pub(crate) fn has_unanswered_writer(&self, lease: Duration) -> bool {
        (0..self.unanswered.len()).any(|shard| self.unanswered(shard).lasts_longer_than(lease))
    }

    /// Whether every writer has a connection. Otherwise nothing is claimed from the queue: what such an
    /// attempt came to could perhaps not be recorded.
    pub(crate) fn are_all_connected(&self) -> bool {
        self.disconnected.iter().all(|disconnected| !disconnected.load(Ordering::SeqCst))
    }

    /// The workers of this process that are alive, as of now.
    pub(crate) fn alive_workers(&self) -> HashSet<WorkerId> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the next orphan sweep is due.
    pub(crate) fn sweep_schedule(&self) -> MutexGuard<'_, Option<SweepSchedule>> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task is one of that shard's.
    pub(crate) fn is_in_shard(&self, task: TaskId, shard: usize) -> bool {
        shard_of(task, self.claimed_by_others.len()) == shard
    }

    /// Leaves a claim from the queue to the writer of its task, before anybody else learns of it.
    pub(crate) fn leave_to_shard(&self, claim: Claim) {
        self.claims_left_to(shard_of(claim.task, self.claimed_by_others.len())).push(claim);
    }

    /// Takes the claims that other writers have left to this one.
    pub(crate) fn take_left_claims(&self, shard: usize) -> Vec<Claim> {
        std::mem::take(&mut *self.claims_left_to(shard))
    }

    fn claims_left_to(&self, shard: usize) -> MutexGuard<'_, Vec<Claim>> {
        self.claimed_by_others[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard of a task. Ids end in random bits.
pub(crate) fn shard_of(task: TaskId, shards: usize) -> usize {
    usize::try_from(task.0.as_u128() % shards as u128).unwrap_or_default()
}
