//! The fleet limits in memory, with what workers hold of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::doctor::Finding;
use crate::id::WorkerId;
use crate::ledger::Ledger;
use crate::limit::{FleetLimit, LimitScope};
use crate::permit::{Holder, LimitRecord, PermitGrants, PermitRequest};

#[derive(Debug, Default)]
pub(super) struct Limits(BTreeMap<LimitScope, LimitEntry>);

#[derive(Debug)]
struct LimitEntry {
    limit: FleetLimit,
    next_start: Option<Timestamp>,
    holders: Vec<Holder>,
}

impl Limits {
    /// Sets a limit. What is held of an earlier one of the same scope counts under it.
    pub(super) fn set(&mut self, limit: FleetLimit) {
        let new = || LimitEntry { limit: limit.clone(), next_start: None, holders: Vec::new() };
        self.0.entry(limit.scope.clone()).or_insert_with(new).limit = limit.clone();
    }

    /// Removes the limit of a scope. Returns whether there was one.
    pub(super) fn remove(&mut self, scope: &LimitScope) -> bool {
        self.0.remove(scope).is_some()
    }

    pub(super) fn records(&self, is_alive: impl Fn(WorkerId) -> bool) -> Vec<LimitRecord> {
        let record = |entry: &LimitEntry| {
            let holders = entry.holders.iter().filter(|holder| is_alive(holder.worker));
            LimitRecord::new(entry.limit.clone(), holders.copied()).next_start(entry.next_start)
        };
        self.0.values().map(record).collect()
    }

    pub(super) fn permits(
        &mut self,
        request: &PermitRequest,
        is_alive: impl Fn(WorkerId) -> bool,
    ) -> PermitGrants {
        let mut granted = Vec::new();
        for asked in &request.demands {
            let Some(entry) = self.0.get_mut(&asked.scope) else { continue };
            entry.holders.retain(|holder| is_alive(holder.worker));
            let LimitEntry { limit, next_start, holders } = entry;
            let ledger = Ledger { limit, holders, next_start: *next_start, now: request.now };
            let decision = ledger.decide(request.worker, asked);
            *next_start = decision.next_start.or(*next_start);
            holders.retain(|holder| holder.worker != request.worker);
            holders.extend(Some(decision.holder).filter(|holder| !holder.is_idle()));
            granted.push(decision.granted);
        }
        let limits = self.0.values().map(|entry| entry.limit.clone()).collect();
        PermitGrants { limits, granted, lasts: None }
    }

    /// The permits of dead workers. They are kept until somebody asks for permits under the same limit.
    pub(super) fn inspect(&mut self, is_alive: impl Fn(WorkerId) -> bool, repair: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in self.0.values_mut() {
            for holder in entry.holders.iter().filter(|holder| holder.held > 0 && !is_alive(holder.worker)) {
                let finding = Finding::dead_permits(holder.worker, holder.held, &entry.limit.scope);
                findings.push(Finding { repaired: repair, ..finding });
            }
            if repair {
                entry.holders.retain(|holder| is_alive(holder.worker));
            }
        }
        findings
    }
}
