//! The writers of a process, each with a connection of its own: while the statement of one is under way,
//! that of another is put together. A task's operations are always one writer's, in their order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tasker_store::{Claim, StoreError, TaskId};
use tokio::sync::{Notify, RwLock, mpsc, oneshot};

use crate::held::Held;
use crate::operation::Operation;
use crate::session::Workers;
use crate::untold::Sweep;
use crate::values::Result;

/// Where each writer takes its operations from.
#[derive(Debug)]
pub(crate) struct Lanes(Vec<mpsc::Sender<Operation>>);

/// What the writers of a process have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) workers: Workers,
    /// The claims that somebody here was told of.
    pub(crate) held: Held,
    /// Called when steps have come into the queue that others may want.
    pub(crate) queued: Arc<Notify>,
    /// Held by all while their statements are under way, and by one alone that looks for claims that nobody
    /// was told of: those of a statement that has not been answered yet are none.
    pub(crate) quiet: RwLock<()>,
    /// For each writer: whether it has lost its connection, and has no other yet.
    away: Vec<AtomicBool>,
    /// When to look for claims that nobody was told of.
    pub(crate) sweep: Mutex<Option<Sweep>>,
    /// For each writer: what others have claimed from the queue of its tasks.
    taken: Vec<Mutex<Vec<Claim>>>,
}

impl Lanes {
    pub(crate) fn new(queues: Vec<mpsc::Sender<Operation>>) -> Self {
        Self(queues)
    }

    /// Asks the writer of a task.
    pub(crate) async fn ask<T>(
        &self,
        task: TaskId,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        self.ask_lane(lane_of(task, self.0.len()), operation).await
    }

    /// Asks a writer for what concerns no task yet.
    pub(crate) async fn ask_any<T>(
        &self,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        self.ask_lane(0, operation).await
    }

    /// Asks each writer for its part of the claims.
    pub(crate) async fn ask_each<T>(
        &self,
        claims: Vec<Claim>,
        operation: impl Fn(Vec<Claim>, oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<Vec<T>> {
        let mut parts = vec![Vec::new(); self.0.len()];
        for claim in claims {
            parts[lane_of(claim.task, self.0.len())].push(claim);
        }
        let mut waiting = Vec::new();
        for (lane, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let (answer, answered) = oneshot::channel();
            self.0[lane].send(operation(part, answer)).await.map_err(|_| StoreError::Closed)?;
            waiting.push(answered);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answered in waiting {
            answers.push(answered.await.map_err(|_| StoreError::Closed)??);
        }
        Ok(answers)
    }

    async fn ask_lane<T>(
        &self,
        lane: usize,
        operation: impl FnOnce(oneshot::Sender<Result<T>>) -> Operation,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.0[lane].send(operation(answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Shared {
    pub(crate) fn new(lanes: usize, workers: Workers, held: Held, queued: Arc<Notify>) -> Self {
        let taken = (0..lanes).map(|_| Mutex::default()).collect();
        let away = (0..lanes).map(|_| AtomicBool::default()).collect();
        Self { workers, held, queued, quiet: RwLock::default(), away, sweep: Mutex::default(), taken }
    }

    pub(crate) fn set_away(&self, lane: usize, is_away: bool) {
        self.away[lane].store(is_away, Ordering::SeqCst);
    }

    pub(crate) fn is_away(&self, lane: usize) -> bool {
        self.away[lane].load(Ordering::SeqCst)
    }

    /// Whether all writers can write. Otherwise nothing is claimed from the queue: it could be run, and not
    /// be recorded.
    pub(crate) fn is_whole(&self) -> bool {
        self.away.iter().all(|away| !away.load(Ordering::SeqCst))
    }

    /// Whether the task is that writer's.
    pub(crate) fn is_of(&self, task: TaskId, lane: usize) -> bool {
        lane_of(task, self.taken.len()) == lane
    }

    /// Tells the task's writer of a claim from the queue, before anybody can act on it.
    pub(crate) fn tell(&self, claim: Claim) {
        self.taken_by(lane_of(claim.task, self.taken.len())).push(claim);
    }

    /// What the writer was told of.
    pub(crate) fn told(&self, lane: usize) -> Vec<Claim> {
        std::mem::take(&mut *self.taken_by(lane))
    }

    fn taken_by(&self, lane: usize) -> std::sync::MutexGuard<'_, Vec<Claim>> {
        self.taken[lane].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids end in random bits.
fn lane_of(task: TaskId, lanes: usize) -> usize {
    usize::try_from(task.0.as_u128() % lanes as u128).unwrap_or_default()
}
