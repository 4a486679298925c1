//! How workers share a limit: the one rule by which every store grants permits and starts.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::WorkerId;
use crate::limit::FleetLimit;
use crate::permit::{Holder, PermitDemand, PermitGrant};

/// Starts are given out for so far ahead.
pub const AHEAD: Duration = Duration::from_secs(1);
/// A worker that has wanted a permit for so long and has none comes before those that hold some.
const PATIENCE: Duration = Duration::from_secs(1);

/// A limit, and all that is kept of it, at a moment at which nobody else changes it.
#[derive(Clone, Debug)]
pub struct Ledger<'a> {
    /// The limit.
    pub limit: &'a FleetLimit,
    /// Workers that are alive, the one that asks among them if it is known.
    pub holders: &'a [Holder],
    /// When the next start may be.
    pub next_start: Option<Timestamp>,
    /// The time at which the worker asks.
    pub now: Timestamp,
}

/// What comes of asking.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the worker is granted.
    pub granted: PermitGrant,
    /// What is to be kept of the worker from now on.
    pub holder: Holder,
    /// When the next start may be, if that has changed.
    pub next_start: Option<Timestamp>,
}

impl Ledger<'_> {
    /// What a worker that is alive is granted. Every store decides by this.
    pub fn decide(&self, worker: WorkerId, asked: &PermitDemand) -> Decision {
        let before = self.holders.iter().find(|holder| holder.worker == worker);
        let starved_since = before.and_then(|before| before.starved_since);
        let (most, held) = match self.limit.concurrency {
            None => (None, asked.keep),
            Some(limit) => {
                let own = Holder { worker, held: asked.keep, wanted: asked.wanted, starved_since };
                let others: u32 = self.others(worker).map(|other| other.held).sum();
                let free = limit.saturating_sub(others);
                let most = asked.wanted.min(free).min(self.share(limit, own));
                (Some(most), asked.keep.max(most))
            }
        };
        let starves = held == 0 && asked.wanted > 0 && most == Some(0);
        let starved_since = starves.then(|| starved_since.unwrap_or(self.now));
        let holder = Holder { worker, held, wanted: asked.wanted, starved_since };
        let wanted_starts = if most == Some(0) { 0 } else { asked.starts };
        let (starts, first_in, next_start) = self.starts(wanted_starts);
        let granted = PermitGrant { scope: asked.scope.clone(), held, most, starts, first_in };
        Decision { granted, holder, next_start }
    }

    fn others(&self, worker: WorkerId) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.worker != worker)
    }

    /// How much is one's own when all take what they want and nobody has more than those who want more
    /// than they get. What does not divide goes first to who has waited for long without any, and then to
    /// who has it already.
    fn share(&self, limit: u32, own: Holder) -> u32 {
        let mut all: Vec<Holder> = self.others(own.worker).copied().chain([own]).collect();
        all.sort_by_key(|holder| holder.wanted);
        let mut left = limit;
        for (index, holder) in all.iter().enumerate() {
            let count = u32::try_from(all.len() - index).unwrap_or(u32::MAX);
            let level = left / count;
            if holder.wanted > level {
                let rest = left % count;
                let mut wanting: Vec<&Holder> = all[index..].iter().collect();
                wanting.sort_by_key(|one| {
                    let waited = one.starved_since.map(|since| self.now.duration_since(since));
                    let is_long = waited.is_some_and(|waited| waited.unsigned_abs() >= PATIENCE);
                    let since = one.starved_since.filter(|_| is_long).unwrap_or(Timestamp::MAX);
                    (since, std::cmp::Reverse(one.held.min(level + 1)), one.worker)
                });
                let place = wanting.iter().position(|one| one.worker == own.worker);
                let is_first = place.is_some_and(|place| u32::try_from(place).unwrap_or(u32::MAX) < rest);
                // Who wants no more than the level has been dealt with: it has what it wants.
                return if own.wanted <= level { own.wanted } else { level + u32::from(is_first) };
            }
            left -= holder.wanted;
        }
        own.wanted
    }

    /// Starts from the next free one on: how many, in how long the first is, and when the next is free.
    fn starts(&self, wanted: u32) -> (u32, Duration, Option<Timestamp>) {
        let Some(rate) = self.limit.rate else { return (0, Duration::ZERO, None) };
        let later = |time: Timestamp, span: Duration| crate::time::later(time, span);
        let (every, ahead) = (rate.every(), later(self.now, AHEAD));
        // One that is farther off than any that was granted at this rate was left by a lower rate, or by a
        // clock that was ahead.
        let next = self.next_start.unwrap_or(self.now);
        let first = if next > later(ahead, every) { ahead } else { next.max(self.now) };
        let first_in = span(self.now, first);
        let fit = if first > ahead { 0 } else { span(first, ahead).as_micros() / every.as_micros() + 1 };
        let starts = wanted.min(u32::try_from(fit).unwrap_or(u32::MAX));
        (starts, first_in, (starts > 0).then(|| later(first, every.saturating_mul(starts))))
    }
}

/// From one time to a later one.
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
        let found: Vec<u32> = holders.iter().map(|own| ledger.share(limit, *own)).collect();
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
