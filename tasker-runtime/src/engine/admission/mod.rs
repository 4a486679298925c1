//! Admission: which steps this worker takes, and whether one more attempt of a step may start here.
//!
//! A worker takes the steps of the namespaces that it serves and that it has a handler for, of tasks that
//! were created in its environment. An attempt of such a step is admitted while every limit that the step
//! falls under has capacity: the worker limits, which the builder set for this worker alone, and the fleet
//! limits, which the store keeps for all workers together. Steps under a limit without capacity are
//! *excluded*: the store is told not to hand them out.

mod demand;
mod fleet_share;
mod scope_limit;
mod start_slots;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_store::{Claim, Excluded, TemplateId};
use tasker_template::StepIndex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::build::bind::BoundTemplate;
use crate::engine::settings::WorkerSettings;
use table::Table;

pub(super) use fleet_share::AskIntervals;

/// Decides which steps this worker takes, and counts the attempts that it has admitted.
#[derive(Debug)]
pub(super) struct Admission {
    table: Mutex<Table>,
    /// The largest number of attempts that run here, whatever their steps.
    max_running: u32,
    /// Tells the dispatcher that a limit has capacity again.
    wake: Arc<Notify>,
    /// Tells whoever asks the store for permits that more are needed, or some are to go back.
    pub(super) permits_due: Notify,
}

/// Whether an attempt may start.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may, and counts as running until the guard is dropped.
    Admitted(AdmissionGuard),
    /// A limit that the step falls under has no capacity.
    Full,
    /// The step is not this worker's to run, or its template has not been read yet.
    Unknown,
}

/// Counts an attempt as running until it is dropped.
#[derive(Debug)]
pub(super) struct AdmissionGuard {
    admission: Arc<Admission>,
    step: (TemplateId, StepIndex),
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        if self.admission.release(self.step) {
            self.admission.wake.notify_one();
        }
    }
}

/// How to claim while limits are contended: their steps in a small claim, and everything else in a large
/// one. A large claim with both would have to hand most of their steps back.
#[derive(Debug)]
pub(super) struct ContendedClaims {
    /// The largest number of claims that no contended limit would refuse.
    pub(super) max: usize,
    /// What to exclude from the large claim: what is excluded anyway, and the steps under contended limits.
    pub(super) excluded_from_others: Arc<Excluded>,
}

impl Admission {
    /// `wake` is notified when steps may be claimed that were excluded before.
    pub(super) fn new(settings: &WorkerSettings, wake: Arc<Notify>) -> Self {
        let table = Table::new(settings);
        let max_running = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
        Self { table: Mutex::new(table), max_running, wake, permits_due: Notify::new() }
    }

    /// Whether steps of this namespace run here.
    pub(super) fn serves(&self, namespace: &str) -> bool {
        self.table().serves(namespace)
    }

    /// Takes note of a template's steps.
    pub(super) fn learn(&self, bound: &BoundTemplate) {
        self.table().learn(bound);
    }

    /// The steps that this worker does not take at the moment.
    pub(super) fn excluded(&self) -> Arc<Excluded> {
        Arc::clone(&self.table().excluded)
    }

    /// How to claim while limits are contended; `None` while none of them both is contended and has
    /// capacity.
    pub(super) fn contended(&self) -> Option<ContendedClaims> {
        let table = self.table();
        let now = Instant::now();
        let capacities: Vec<Option<u32>> = table
            .limits
            .iter()
            .map(|limit| {
                Some(limit.capacity(now)).filter(|capacity| *capacity > 0 && limit.is_contended(now))
            })
            .collect();
        let max = capacities.iter().flatten().min()?;
        let max = usize::try_from(*max).unwrap_or(usize::MAX);
        let contended = table.steps_under(|limit| capacities[limit].is_some());
        let excluded_from_others = Arc::new(table.excluded.iter().copied().chain(contended).collect());
        Some(ContendedClaims { max, excluded_from_others })
    }

    /// Admits an attempt, unless a limit has no capacity for it. The guard, when it is dropped, wakes the
    /// dispatcher if a limit that was full has capacity again.
    pub(super) fn admit(self: &Arc<Self>, claim: &Claim) -> Verdict {
        let mut table = self.table();
        let table = &mut *table;
        let key = (claim.template, claim.key.step);
        let Some(step) = table.steps.get_mut(&key).filter(|step| step.is_ours) else {
            return Verdict::Unknown;
        };
        if step.limits.is_empty() {
            step.running += 1;
            return Verdict::Admitted(AdmissionGuard { admission: Arc::clone(self), step: key });
        }
        let now = Instant::now();
        let full = step.limits.iter().find(|limit| table.limits[**limit].capacity(now) == 0);
        if let Some(full) = full {
            table.limits[*full].refuse(now);
            self.call_if_permits_due(table, now);
            table.refresh_excluded(now);
            return Verdict::Full;
        }
        let mut is_full = false;
        for limit in &step.limits {
            let limit = &mut table.limits[*limit];
            limit.begin(now);
            is_full |= limit.capacity(now) == 0;
        }
        step.running += 1;
        if is_full {
            self.call_if_permits_due(table, now);
            table.refresh_excluded(now);
        }
        Verdict::Admitted(AdmissionGuard { admission: Arc::clone(self), step: key })
    }

    /// An attempt of the step has ended: whether a limit that was full has capacity again.
    fn release(&self, key: (TemplateId, StepIndex)) -> bool {
        let mut table = self.table();
        let table = &mut *table;
        let Some(step) = table.steps.get_mut(&key) else { return false };
        step.running -= 1;
        if step.limits.is_empty() {
            return false;
        }
        let now = Instant::now();
        let (mut was_full, mut has_capacity) = (false, false);
        for limit in &step.limits {
            let limit = &mut table.limits[*limit];
            let full = limit.capacity(now) == 0;
            limit.end(now);
            was_full |= full;
            has_capacity |= full && limit.capacity(now) > 0;
        }
        if was_full {
            // What this attempt no longer uses may be due to another worker.
            self.call_if_permits_due(table, now);
        }
        if has_capacity {
            table.refresh_excluded(now);
        }
        has_capacity
    }

    /// Calls whoever asks the store for permits, if there is something to ask for now.
    fn call_if_permits_due(&self, table: &Table, now: Instant) {
        if table.fleet_shares().any(|(share, running)| share.is_due(running, self.max_running, now)) {
            self.permits_due.notify_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
