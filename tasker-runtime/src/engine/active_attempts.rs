//! The attempts that run in this worker, so that one whose claim is revoked can be told to end, and one whose
//! handler blocks can be named.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use slab::Slab;
use tasker_store::Claim;
use tokio_util::sync::CancellationToken;

use crate::handler::StepFacts;
use crate::handler::threads::{AttemptThreads, HandlerThreads};

/// An attempt that runs in this worker.
#[derive(Clone, Debug)]
pub(super) struct ActiveAttempt {
    pub(super) claim: Claim,
    pub(super) facts: Arc<StepFacts>,
    pub(super) threads: Arc<AttemptThreads>,
    /// Is cancelled when its claim is revoked.
    pub(super) revoked: CancellationToken,
}

/// The attempts that run in this worker.
#[derive(Debug, Default)]
pub(super) struct ActiveAttempts {
    attempts: Mutex<Attempts>,
    threads: HandlerThreads,
}

#[derive(Debug, Default)]
struct Attempts {
    running: Slab<ActiveAttempt>,
    /// Those of ended attempts, to be used again: making one costs all threads of the runtime a little.
    idle: Vec<Arc<AttemptThreads>>,
    watchdog: Option<Thread>,
    /// Whether the watchdog sleeps until an attempt begins.
    watchdog_sleeps: bool,
}

/// An attempt that has begun.
#[derive(Debug)]
pub(super) struct BegunAttempt {
    /// Its place among the attempts that run.
    pub(super) place: usize,
    /// What it does with its threads.
    pub(super) threads: Arc<AttemptThreads>,
    /// Is cancelled when its claim is revoked.
    pub(super) revoked: CancellationToken,
}

impl ActiveAttempts {
    /// An attempt begins.
    pub(super) fn begin(&self, claim: Claim, facts: Arc<StepFacts>) -> BegunAttempt {
        let revoked = CancellationToken::new();
        let mut attempts = self.lock();
        let threads = attempts.idle.pop().unwrap_or_else(|| self.threads.attempt());
        let attempt = ActiveAttempt { claim, facts, threads: Arc::clone(&threads), revoked: revoked.clone() };
        let place = attempts.running.insert(attempt);
        if std::mem::take(&mut attempts.watchdog_sleeps) {
            attempts.wake_watchdog();
        }
        BegunAttempt { place, threads, revoked }
    }

    /// An attempt has ended.
    pub(super) fn end(&self, place: usize) {
        let mut attempts = self.lock();
        let Some(ended) = attempts.running.try_remove(place) else { return };
        // Nothing that its handler began runs any more.
        if Arc::strong_count(&ended.threads) == 1 {
            attempts.idle.push(ended.threads);
        }
    }

    /// The claims of all attempts that run.
    pub(super) fn claims(&self) -> Vec<Claim> {
        self.lock().running.iter().map(|(_, attempt)| attempt.claim).collect()
    }

    /// All attempts that run.
    pub(super) fn running(&self) -> Vec<ActiveAttempt> {
        self.lock().running.iter().map(|(_, attempt)| attempt.clone()).collect()
    }

    /// Tells those of these attempts that run here that their claims have been revoked.
    pub(super) fn revoke(&self, claims: &[Claim]) {
        let claims: HashSet<&Claim> = claims.iter().collect();
        let attempts = self.lock();
        let revoked = attempts.running.iter().filter(|(_, attempt)| claims.contains(&attempt.claim));
        revoked.for_each(|(_, attempt)| attempt.revoked.cancel());
    }

    /// What the handlers do with their threads.
    pub(super) fn threads(&self) -> &HandlerThreads {
        &self.threads
    }

    /// The watchdog runs on this thread.
    pub(super) fn set_watchdog(&self, thread: Thread) {
        self.lock().watchdog = Some(thread);
    }

    /// Whether the watchdog may sleep until an attempt begins.
    pub(super) fn let_watchdog_sleep(&self) -> bool {
        let mut attempts = self.lock();
        attempts.watchdog_sleeps = attempts.running.is_empty() && attempts.watchdog.is_some();
        attempts.watchdog_sleeps
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn wake_watchdog(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.unpark();
        }
    }
}

impl Drop for ActiveAttempts {
    fn drop(&mut self) {
        self.lock().wake_watchdog();
    }
}
