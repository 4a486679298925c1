//! How workers share a fleet limit: the one rule by which every store grants permits and starts.
//!
//! Permits are divided by **max-min fair share**: nobody gets more than it wants, and nobody who gets less
//! than it wants gets less than another. Starts are granted in the order in which workers ask.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::WorkerId;
use crate::limit::FleetLimit;
use crate::permit::{Holder, PermitDemand, PermitGrant};
use crate::time::later;

/// How far ahead starts are granted.
pub const START_HORIZON: Duration = Duration::from_secs(1);
/// A worker that has wanted a permit and held none for this long comes before those that hold some.
const STARVING_AFTER: Duration = Duration::from_secs(1);

/// A limit with the permits and starts that are recorded for it. The store has it locked while it is used.
#[derive(Clone, Debug)]
pub struct Ledger<'a> {
    /// The limit.
    pub limit: &'a FleetLimit,
    /// What each living worker holds and wants. The worker that asks is among them if it has asked before.
    pub holders: &'a [Holder],
    /// The earliest time of the next start; `None` when no start has been granted yet.
    pub next_start: Option<Timestamp>,
    /// The time of the request.
    pub now: Timestamp,
}

/// What a worker is granted, and what the store is to record of it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the worker is granted.
    pub granted: PermitGrant,
    /// What the worker holds and wants from now on.
    pub holder: Holder,
    /// The new [`Ledger::next_start`]; `None` when it stays as it is.
    pub next_start: Option<Timestamp>,
}

impl Ledger<'_> {
    /// Decides what a living worker is granted.
    pub fn decide(&self, worker: WorkerId, asked: &PermitDemand) -> Decision {
        let before = self.holders.iter().find(|holder| holder.worker == worker);
        let starved_since = before.and_then(|before| before.starved_since);
        let (max_running, held) = match self.limit.concurrency {
            None => (None, asked.keep),
            Some(limit) => {
                let own = Holder { worker, held: asked.keep, wanted: asked.wanted, starved_since };
                let others: u32 = self.others(worker).map(|other| other.held).sum();
                let free = limit.saturating_sub(others);
                let max_running = asked.wanted.min(free).min(self.fair_share(limit, own));
                (Some(max_running), asked.keep.max(max_running))
            }
        };
        let starves = held == 0 && asked.wanted > 0 && max_running == Some(0);
        let starved_since = starves.then(|| starved_since.unwrap_or(self.now));
        let holder = Holder { worker, held, wanted: asked.wanted, starved_since };
        let wanted_starts = if max_running == Some(0) { 0 } else { asked.starts };
        let (starts, first_in, next_start) = self.grant_starts(wanted_starts);
        let granted = PermitGrant { scope: asked.scope.clone(), held, max_running, starts, first_in };
        Decision { granted, holder, next_start }
    }

    fn others(&self, worker: WorkerId) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.worker != worker)
    }

    /// The worker's max-min fair share of `limit` permits, by what each worker wants. Where the division
    /// leaves a remainder, its permits go, one each, to the workers that starve, the longest first, and then
    /// to those that hold permits already.
    fn fair_share(&self, limit: u32, own: Holder) -> u32 {
        let mut all: Vec<Holder> = self.others(own.worker).copied().chain([own]).collect();
        all.sort_by_key(|holder| holder.wanted);
        let mut left = limit;
        for (index, holder) in all.iter().enumerate() {
            let count = u32::try_from(all.len() - index).unwrap_or(u32::MAX);
            let level = left / count;
            if holder.wanted <= level {
                left -= holder.wanted;
                continue;
            }
            // This worker and all after it want more than the level, and share what is left.
            if own.wanted <= level {
                return own.wanted;
            }
            let mut sharing: Vec<&Holder> = all[index..].iter().collect();
            sharing.sort_by_key(|one| {
                let starving_since = one.starved_since.filter(|since| self.is_starving(*since));
                let since = starving_since.unwrap_or(Timestamp::MAX);
                (since, Reverse(one.held.min(level + 1)), one.worker)
            });
            let position = sharing.iter().position(|one| one.worker == own.worker);
            let left_over = left % count;
            let gets_one = position.is_some_and(|at| u32::try_from(at).unwrap_or(u32::MAX) < left_over);
            return level + u32::from(gets_one);
        }
        own.wanted
    }

    fn is_starving(&self, since: Timestamp) -> bool {
        self.now.duration_since(since).unsigned_abs() >= STARVING_AFTER
    }

    /// Grants the starts that fall within the horizon, `wanted` at most. Returns their number, the time until
    /// the first, and the new [`next_start`](Self::next_start).
    fn grant_starts(&self, wanted: u32) -> (u32, Duration, Option<Timestamp>) {
        let Some(rate) = self.limit.rate else { return (0, Duration::ZERO, None) };
        let (every, horizon) = (rate.every(), later(self.now, START_HORIZON));
        // The next start may lie farther off than this rate allows: it was recorded at a lower rate, or by a
        // clock that was ahead. It is moved to the horizon.
        let next = self.next_start.unwrap_or(self.now);
        let first = if next > later(horizon, every) { horizon } else { next.max(self.now) };
        let first_in = span(self.now, first);
        let fit = if first > horizon { 0 } else { span(first, horizon).as_micros() / every.as_micros() + 1 };
        let starts = wanted.min(u32::try_from(fit).unwrap_or(u32::MAX));
        (starts, first_in, (starts > 0).then(|| later(first, every.saturating_mul(starts))))
    }
}

/// The time from one moment to a later one.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::LimitScope;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).unwrap()
    }

    fn holder(worker: u128, held: u32, wanted: u32, starved: Option<i64>) -> Holder {
        let worker = WorkerId(uuid::Uuid::from_u128(worker));
        Holder { worker, held, wanted, starved_since: starved.map(at) }
    }

    #[track_caller]
    fn check_shares(limit: u32, holders: &[Holder], shares: &[u32]) {
        let kept = FleetLimit::new(LimitScope::Namespace("n".to_owned())).concurrency(limit);
        let ledger = Ledger { limit: &kept, holders, next_start: None, now: at(5_000_000) };
        let found: Vec<u32> = holders.iter().map(|own| ledger.fair_share(limit, *own)).collect();
        assert_eq!(found, shares);
        assert!(found.iter().sum::<u32>() <= limit);
    }

    #[test]
    fn nobody_has_more_than_one_who_wants_more_than_it_gets() {
        check_shares(10, &[holder(1, 10, 20, None), holder(2, 0, 1, None)], &[9, 1]);
        check_shares(10, &[holder(1, 10, 20, None), holder(2, 0, 20, None)], &[5, 5]);
        check_shares(10, &[holder(1, 2, 2, None), holder(2, 3, 3, None)], &[2, 3]);
        check_shares(10, &[holder(1, 3, 8, None), holder(2, 4, 8, None), holder(3, 3, 8, None)], &[3, 4, 3]);
        check_shares(0, &[holder(1, 1, 3, None)], &[0]);
    }

    #[test]
    fn what_does_not_divide_goes_to_who_has_waited_for_long() {
        check_shares(1, &[holder(1, 1, 2, None), holder(2, 0, 1, Some(4_500_000))], &[1, 0]);
        check_shares(1, &[holder(1, 1, 2, None), holder(2, 0, 1, Some(3_900_000))], &[0, 1]);
        let waiting = [holder(1, 0, 1, Some(2)), holder(2, 0, 1, Some(1)), holder(3, 2, 2, None)];
        check_shares(2, &waiting, &[1, 1, 0]);
    }
}
