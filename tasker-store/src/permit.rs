//! PermitGrants: what each worker may do under a limit, and what is kept of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::WorkerId;
use crate::limit::{FleetLimit, LimitScope};

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct PermitRequest {
    /// The worker that asks.
    pub worker: WorkerId,
    /// For these kinds; those that are not limited are passed over.
    pub wanted: Vec<PermitDemand>,
    /// The time, for stores that have no clock of their own.
    pub now: Timestamp,
}

/// What a worker wants under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitDemand {
    /// The kind.
    pub scope: LimitScope,
    /// So many permits it cannot give back in this operation: they are in use, or may be by the time of
    /// the answer.
    pub keep: u32,
    /// So many permits it wants to hold in all. Fewer than it holds gives the others back.
    pub wanted: u32,
    /// So many more starts it wants to be allowed.
    pub starts: u32,
}

impl PermitDemand {
    /// With what is in use kept, and nothing else.
    pub fn but_nothing_new(&self) -> Self {
        Self { wanted: 0, starts: 0, ..self.clone() }
    }
}

/// The answer to [`Store::permits`](crate::store::Store::permits).
#[derive(Clone, Debug, Default)]
pub struct PermitGrants {
    /// All limits of the store.
    pub limits: Vec<FleetLimit>,
    /// For each kind that was asked for and is limited.
    pub granted: Vec<PermitGrant>,
    /// For how long, from the moment of asking, they are the worker's if it is not heard of; `None` for as
    /// long as it lives.
    pub lasts: Option<Duration>,
}

/// What a worker may do under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitGrant {
    /// The kind.
    pub scope: LimitScope,
    /// So many permits count as the worker's.
    pub held: u32,
    /// With so many attempts running or more it may not start another; `None` without a limit on that.
    pub most: Option<u32>,
    /// So many starts are allowed, the first after `first_in`, and each of the others a
    /// [`Rate::every`](crate::Rate::every) later.
    pub starts: u32,
    /// When the first of them is; when there are none, when the next one will be.
    pub first_in: Duration,
}

/// A worker's part of a limit, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The worker.
    pub worker: WorkerId,
    /// How many permits it holds.
    pub held: u32,
    /// How many permits it wants to hold.
    pub wanted: u32,
    /// Since when it has wanted a permit and had none.
    pub starved_since: Option<Timestamp>,
}

impl Holder {
    /// Whether nothing is worth keeping of it.
    pub fn is_idle(&self) -> bool {
        self.held == 0 && self.wanted == 0
    }
}

/// A limit, and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitRecord {
    /// The limit.
    #[serde(flatten)]
    pub limit: FleetLimit,
    /// How many permits workers hold that are alive: each is for one attempt, running or about to.
    pub held: u32,
    /// How many workers hold them.
    pub workers: u32,
    /// How many workers have none and want some.
    pub waiting: u32,
}

impl LimitRecord {
    /// A limit with its holders: the workers that are alive.
    pub fn new(limit: FleetLimit, holders: impl Iterator<Item = Holder>) -> Self {
        let mut record = Self { limit, held: 0, workers: 0, waiting: 0 };
        for holder in holders {
            record.held += holder.held;
            record.workers += u32::from(holder.held > 0);
            record.waiting += u32::from(holder.starved_since.is_some());
        }
        record
    }
}
