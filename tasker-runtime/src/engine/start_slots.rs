//! When attempts of a kind may start that is limited by a rate: moments that the store has granted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A moment that nobody has used may still be used for so long, or until the next one if that is later.
const GRACE: Duration = Duration::from_millis(100);

/// Moments at which an attempt may start, in their order.
#[derive(Debug, Default)]
pub(super) struct StartSlots(VecDeque<Run>);

/// Moments at equal distances.
#[derive(Debug)]
struct Run {
    first: Instant,
    every: Duration,
    left: u32,
}

impl Run {
    fn due(&self, now: Instant) -> u32 {
        match now.checked_duration_since(self.first) {
            None => 0,
            Some(since) => {
                let more = since.as_nanos() / self.every.as_nanos().max(1);
                u32::try_from(more).map_or(self.left, |more| more.saturating_add(1).min(self.left))
            }
        }
    }

    fn pass(&mut self) {
        self.first += self.every;
        self.left -= 1;
    }
}

impl StartSlots {
    pub(super) fn add(&mut self, first: Instant, every: Duration, count: u32) {
        if count > 0 {
            self.0.push_back(Run { first, every, left: count });
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many are left, due or not.
    pub(super) fn left(&self) -> u32 {
        self.0.iter().map(|run| run.left).sum()
    }

    /// How many attempts may start now.
    pub(super) fn due(&self, now: Instant) -> u32 {
        self.0.iter().map(|run| run.due(now)).sum()
    }

    /// When a look at them is worth while: at the first, or when several have come that are close together.
    pub(super) fn next(&self) -> Option<Instant> {
        let run = self.0.front()?;
        let close = (GRACE / 2).as_nanos() / run.every.as_nanos().max(1);
        let more = u32::try_from(close).unwrap_or(u32::MAX).min(run.left.saturating_sub(1));
        Some(run.first + run.every.saturating_mul(more))
    }

    /// Uses one that is due.
    pub(super) fn take(&mut self) {
        if let Some(run) = self.0.front_mut() {
            run.pass();
        }
        self.tidy();
    }

    /// Lets go of those that nobody has used: whether there were any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(run) = self.0.front_mut() {
            let grace = run.every.max(GRACE);
            while run.left > 0 && run.first + grace <= now {
                run.pass();
                any = true;
            }
            if run.left > 0 {
                return any;
            }
            self.tidy();
        }
        any
    }

    /// When the next one expires.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.0.front().map(|run| run.first + run.every.max(GRACE))
    }

    fn tidy(&mut self) {
        while self.0.front().is_some_and(|run| run.left == 0) {
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
        for (every, most) in [(ms(10), 10), (ms(100), 1), (ms(1_000), 1)] {
            let (begun, mut slots) = (Instant::now(), StartSlots::default());
            slots.add(begun, every, 100);
            for millis in 0..=3_000 {
                let now = begun + ms(millis);
                slots.expire(now);
                assert!(slots.due(now) <= most, "{every:?} at {millis}: {}", slots.due(now));
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
