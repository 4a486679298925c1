//! When attempts may start under a fleet limit with a rate: the starts that the store has granted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A start that was not used when it was due may be used for this long after, or until the next one is due
/// when that is later.
const GRACE: Duration = Duration::from_millis(100);

/// The moments from which on one more attempt each may start, in their order.
#[derive(Debug, Default)]
pub(super) struct StartSlots(VecDeque<Series>);

/// Moments at equal distances.
#[derive(Debug)]
struct Series {
    first: Instant,
    every: Duration,
    left: u32,
}

impl Series {
    fn due(&self, now: Instant) -> u32 {
        match now.checked_duration_since(self.first) {
            None => 0,
            Some(since) => {
                let more = since.as_nanos() / self.every.as_nanos().max(1);
                u32::try_from(more).map_or(self.left, |more| more.saturating_add(1).min(self.left))
            }
        }
    }

    fn drop_first(&mut self) {
        self.first += self.every;
        self.left -= 1;
    }
}

impl StartSlots {
    /// Adds `count` starts, `every` apart, after those that there are.
    pub(super) fn add(&mut self, first: Instant, every: Duration, count: u32) {
        if count > 0 {
            self.0.push_back(Series { first, every, left: count });
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many starts are left, due or not.
    pub(super) fn left(&self) -> u32 {
        self.0.iter().map(|series| series.left).sum()
    }

    /// How many attempts may start now.
    pub(super) fn due(&self, now: Instant) -> u32 {
        self.0.iter().map(|series| series.due(now)).sum()
    }

    /// When to look for starts that are due: at the first, or, where starts are close together, when as many
    /// are due as fall into half of the grace.
    pub(super) fn next(&self) -> Option<Instant> {
        let series = self.0.front()?;
        let close = (GRACE / 2).as_nanos() / series.every.as_nanos().max(1);
        let more = u32::try_from(close).unwrap_or(u32::MAX).min(series.left.saturating_sub(1));
        Some(series.first + series.every.saturating_mul(more))
    }

    /// Uses a start that is due.
    pub(super) fn take(&mut self) {
        if let Some(series) = self.0.front_mut() {
            series.drop_first();
        }
        self.drop_empty();
    }

    /// Drops the starts that were not used in their time: whether there were any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(series) = self.0.front_mut() {
            let grace = series.every.max(GRACE);
            while series.left > 0 && series.first + grace <= now {
                series.drop_first();
                any = true;
            }
            if series.left > 0 {
                return any;
            }
            self.drop_empty();
        }
        any
    }

    /// When the next start expires.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.0.front().map(|series| series.first + series.every.max(GRACE))
    }

    fn drop_empty(&mut self) {
        while self.0.front().is_some_and(|series| series.left == 0) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_due_at_once_than_fit_into_the_grace() {
        for (every, max) in [(ms(10), 10), (ms(100), 1), (ms(1_000), 1)] {
            let (begun, mut slots) = (Instant::now(), StartSlots::default());
            slots.add(begun, every, 100);
            for millis in 0..=3_000 {
                let now = begun + ms(millis);
                slots.expire(now);
                assert!(slots.due(now) <= max, "{every:?} at {millis}: {}", slots.due(now));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_used_once() {
        let (begun, mut slots) = (Instant::now(), StartSlots::default());
        slots.add(begun + ms(50), ms(200), 2);
        slots.add(begun + ms(450), ms(200), 1);
        let mut used = Vec::new();
        for millis in 0..1_000 {
            let now = begun + ms(millis);
            assert!(!slots.expire(now));
            while slots.due(now) > 0 {
                slots.take();
                used.push(millis);
            }
        }
        assert_eq!((used, slots.left()), (vec![50, 250, 450], 0));
    }
}
