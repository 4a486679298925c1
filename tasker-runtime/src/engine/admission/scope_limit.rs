//! One limit on the steps of a scope, whoever set it, and how many attempts run here under it.

use std::time::Duration;

use tasker_store::{FleetLimit, LimitScope};
use tokio::time::Instant;

use crate::engine::admission::fleet_share::FleetShare;

/// A worker limit is contended for this long after it was full.
const CONTENDED_FOR: Duration = Duration::from_secs(1);

/// A limit on the steps of a scope, and how many attempts run here under it.
#[derive(Debug)]
pub(super) struct ScopeLimit {
    scope: LimitScope,
    running: u32,
    source: Source,
}

/// Who set the limit.
#[derive(Debug)]
enum Source {
    /// A worker limit, which the builder set: at most `max` attempts run at a time in this worker.
    Worker { max: u32, full_at: Option<Instant> },
    /// A fleet limit, which the store keeps: this worker's share of it.
    Fleet(Box<FleetShare>),
}

impl ScopeLimit {
    pub(super) fn of_worker(scope: LimitScope, max: u32) -> Self {
        Self { scope, running: 0, source: Source::Worker { max, full_at: None } }
    }

    /// A fleet limit that is new here, while `running` attempts in its scope run.
    pub(super) fn of_fleet(limit: FleetLimit, running: u32, now: Instant) -> Self {
        let scope = limit.scope.clone();
        Self { scope, running, source: Source::Fleet(Box::new(FleetShare::new(limit, running, now))) }
    }

    pub(super) fn scope(&self) -> &LimitScope {
        &self.scope
    }

    /// How many attempts run here under this limit.
    pub(super) fn running(&self) -> u32 {
        self.running
    }

    /// This worker's share, when this is a fleet limit.
    pub(super) fn fleet_share(&self) -> Option<&FleetShare> {
        match &self.source {
            Source::Fleet(share) => Some(share),
            Source::Worker { .. } => None,
        }
    }

    /// This worker's share with the number of attempts that run here, when this is a fleet limit.
    pub(super) fn fleet_share_mut(&mut self) -> Option<(&mut FleetShare, u32)> {
        match &mut self.source {
            Source::Fleet(share) => Some((share, self.running)),
            Source::Worker { .. } => None,
        }
    }

    /// How many more attempts may start now.
    pub(super) fn capacity(&self, now: Instant) -> u32 {
        match &self.source {
            Source::Worker { max, .. } => max.saturating_sub(self.running),
            Source::Fleet(share) => share.capacity(self.running, now),
        }
    }

    /// Whether the store is to hand out no steps under this limit.
    pub(super) fn is_excluded(&self, now: Instant) -> bool {
        match &self.source {
            Source::Worker { max, .. } => self.running >= *max,
            Source::Fleet(share) => share.is_excluded(self.running, now),
        }
    }

    /// Whether the limit was full a short while ago, so that more steps are likely to be due under it than
    /// it has capacity for.
    pub(super) fn is_contended(&self, now: Instant) -> bool {
        match &self.source {
            Source::Worker { full_at, .. } => {
                full_at.is_some_and(|at| now.duration_since(at) < CONTENDED_FOR)
            }
            Source::Fleet(share) => share.is_contended(now),
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.running += 1;
        match &mut self.source {
            Source::Worker { max, full_at } if self.running >= *max => *full_at = Some(now),
            Source::Worker { .. } => {}
            Source::Fleet(share) => share.begin(self.running, now),
        }
    }

    /// An attempt has ended.
    pub(super) fn end(&mut self, now: Instant) {
        if let Source::Worker { max, full_at } = &mut self.source
            && self.running >= *max
        {
            *full_at = Some(now);
        }
        self.running -= 1;
    }

    /// A claim was not admitted, because this limit has no capacity.
    pub(super) fn refuse(&mut self, now: Instant) {
        match &mut self.source {
            Source::Worker { full_at, .. } => *full_at = Some(now),
            Source::Fleet(share) => share.refuse(now),
        }
    }
}
