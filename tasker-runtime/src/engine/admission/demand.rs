//! The part of admission that the store decides: learns the fleet limits, says what to ask the store for,
//! and takes what it grants.

use tasker_store::{FleetLimit, PermitDemand, PermitGrants};
use tokio::time::Instant;

use crate::engine::admission::Admission;
use crate::engine::admission::fleet_share::AskIntervals;
use crate::engine::admission::scope_limit::ScopeLimit;

impl Admission {
    /// Takes note of the fleet limits that the store keeps now.
    pub(in crate::engine) fn learn_limits(&self, limits: &[FleetLimit]) {
        let mut table = self.table();
        let now = Instant::now();
        let before = table.limits.len();
        table.limits.retain(|known| {
            known.fleet_share().is_none() || limits.iter().any(|limit| limit.scope == *known.scope())
        });
        let mut has_changed = table.limits.len() != before;
        for limit in limits {
            let mut shares = table.limits.iter_mut().filter_map(ScopeLimit::fleet_share_mut);
            match shares.find(|(share, _)| share.limit().scope == limit.scope) {
                Some((share, _)) if share.limit() == limit => continue,
                Some((share, _)) => share.change(limit.clone(), now),
                None => {
                    let running = table.running_in(&limit.scope);
                    table.limits.push(ScopeLimit::of_fleet(limit.clone(), running, now));
                }
            }
            has_changed = true;
        }
        if has_changed {
            table.limits_changed(now);
        }
    }

    /// Lets permits and starts expire whose time is over: whether steps may be claimed now that were
    /// excluded before, and the dispatcher has not been told so.
    pub(in crate::engine) fn expire(&self) -> bool {
        let mut table = self.table();
        let now = Instant::now();
        let mut has_fleet_limits = false;
        for (share, running) in table.limits.iter_mut().filter_map(ScopeLimit::fleet_share_mut) {
            share.expire(running, now);
            has_fleet_limits = true;
        }
        if has_fleet_limits {
            table.refresh_excluded(now);
        }
        std::mem::take(&mut table.has_freed)
    }

    /// What to ask the store for; nothing before it is time to.
    pub(in crate::engine) fn demands(&self, intervals: AskIntervals) -> Vec<PermitDemand> {
        let mut table = self.table();
        let (now, max) = (Instant::now(), self.max_running);
        let is_time = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !table.fleet_shares().any(|(share, running)| is_time(share.ask_at(running, max, intervals))) {
            return Vec::new();
        }
        let shares = table.limits.iter_mut().filter_map(ScopeLimit::fleet_share_mut);
        shares.filter_map(|(share, running)| share.demand(running, max, intervals, now)).collect()
    }

    /// What to ask the store for when nothing more is to start here: to keep what runs.
    pub(in crate::engine) fn last_demands(&self, intervals: AskIntervals) -> Vec<PermitDemand> {
        let mut table = self.table();
        let now = Instant::now();
        let shares = table.limits.iter_mut().filter_map(ScopeLimit::fleet_share_mut);
        shares.filter_map(|(share, running)| share.last_demand(running, intervals, now)).collect()
    }

    /// Takes what the store has granted.
    pub(in crate::engine) fn take(&self, grants: &PermitGrants) {
        let mut table = self.table();
        let now = Instant::now();
        for grant in &grants.granted {
            let mut shares = table.limits.iter_mut().filter_map(ScopeLimit::fleet_share_mut);
            if let Some((share, _)) = shares.find(|(share, _)| share.limit().scope == grant.scope) {
                share.take(grant, grants.lasts, now);
            }
        }
    }

    /// When there is something to do next: to ask the store, or to see that a start is due or has expired.
    pub(in crate::engine) fn next_change(&self, intervals: AskIntervals) -> Option<Instant> {
        let table = self.table();
        let now = Instant::now();
        let times = table.fleet_shares().flat_map(|(share, running)| {
            [share.ask_at(running, self.max_running, intervals), share.changes_at(now)]
        });
        times.flatten().min()
    }
}
