//! Permits: what each worker holds of a fleet limit, how it asks for more, and what is kept of that.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::WorkerId;
use crate::limit::{FleetLimit, LimitScope};

/// A worker's request for permits.
#[derive(Clone, Debug)]
pub struct PermitRequest {
    /// The worker that asks.
    pub worker: WorkerId,
    /// What it wants, a scope each. Scopes that have no limit are left out of the answer.
    pub demands: Vec<PermitDemand>,
    /// The time, for stores that have no clock of their own.
    pub now: Timestamp,
}

/// What a worker wants under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitDemand {
    /// The limit's scope.
    pub scope: LimitScope,
    /// How many permits the worker keeps in any case: they are in use, or may be by the time of the answer.
    pub keep: u32,
    /// How many permits the worker wants to hold in all. It gives back those that it holds beyond that.
    pub wanted: u32,
    /// How many more starts it wants to be granted, under a limit with a rate.
    pub starts: u32,
}

impl PermitDemand {
    /// The demand to keep what is in use, and to be granted nothing.
    pub fn but_nothing_new(&self) -> Self {
        Self { wanted: 0, starts: 0, ..self.clone() }
    }
}

/// The answer to [`Store::permits`](crate::store::Store::permits).
#[derive(Clone, Debug, Default)]
pub struct PermitGrants {
    /// All limits of the store.
    pub limits: Vec<FleetLimit>,
    /// A grant for each scope that was asked for and has a limit.
    pub granted: Vec<PermitGrant>,
    /// How long the grants are valid without a heartbeat of the worker, counted from the moment of asking.
    /// `None`: for as long as the worker is alive.
    pub lasts: Option<Duration>,
}

/// What a worker may do under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitGrant {
    /// The limit's scope.
    pub scope: LimitScope,
    /// How many permits count as the worker's: more than `max_running` when it could not give back enough.
    pub held: u32,
    /// The number of running attempts from which on the worker starts no other; `None` under a limit that
    /// has no concurrency.
    pub max_running: Option<u32>,
    /// How many starts are granted: the first after `first_in`, and each of the others a
    /// [`Rate::every`](crate::rate::Rate::every) after the one before.
    pub starts: u32,
    /// The time until the first granted start; when none is granted, until one can be granted.
    pub first_in: Duration,
}

/// What a store keeps of one worker under one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The worker.
    pub worker: WorkerId,
    /// How many permits it holds.
    pub held: u32,
    /// How many permits it wants to hold in all.
    pub wanted: u32,
    /// Since when it has wanted a permit and held none; `None` while it holds one or wants none.
    pub starved_since: Option<Timestamp>,
}

impl Holder {
    /// Whether it neither holds nor wants a permit, so that no record of it is needed.
    pub fn is_idle(&self) -> bool {
        self.held == 0 && self.wanted == 0
    }
}

/// A fleet limit, and how much of it is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitRecord {
    /// The limit.
    #[serde(flatten)]
    pub limit: FleetLimit,
    /// How many permits are held by workers that are alive. Each is for one attempt that runs, or may start.
    pub held: u32,
    /// How many workers hold at least one.
    pub workers: u32,
    /// How many workers want at least one, and hold none.
    pub waiting: u32,
    /// The workers that hold at least one, in the order of their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<LimitHolder>,
    /// Under a rate, when the next start may be that has not been granted to a worker yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start: Option<Timestamp>,
}

/// A worker that holds permits of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitHolder {
    /// The worker.
    pub worker: WorkerId,
    /// How many permits it holds.
    pub held: u32,
}

impl LimitRecord {
    /// Counts the holders of a limit: those workers that are alive.
    pub fn new(limit: FleetLimit, holders: impl Iterator<Item = Holder>) -> Self {
        let mut record =
            Self { limit, held: 0, workers: 0, waiting: 0, holders: Vec::new(), next_start: None };
        for holder in holders {
            record.held += holder.held;
            record.workers += u32::from(holder.held > 0);
            record.waiting += u32::from(holder.starved_since.is_some());
            if holder.held > 0 {
                record.holders.push(LimitHolder { worker: holder.worker, held: holder.held });
            }
        }
        record.holders.sort_unstable_by_key(|holder| holder.worker);
        record
    }

    /// When the next start may be that has not been granted to a worker yet.
    #[must_use]
    pub fn next_start(mut self, at: Option<Timestamp>) -> Self {
        self.next_start = at;
        self
    }
}
