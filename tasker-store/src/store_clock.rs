//! The clock of a store that has one of its own, as a process knows it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time by a store's own clock. It is measured now and then, and in between goes on as this process's
/// monotonic clock does, so that no worker's wall clock matters: neither an error of it nor a jump.
#[derive(Debug)]
pub struct StoreClock {
    begun: Instant,
    /// The store's time at `begun`, in microseconds; [`UNKNOWN`] until it has been measured.
    at_begin: AtomicI64,
}

const UNKNOWN: i64 = i64::MIN;
/// Answers are not delayed by less than this: a measured difference below it is none.
const PRECISION: Duration = Duration::from_millis(1);

impl Default for StoreClock {
    fn default() -> Self {
        Self { begun: Instant::now(), at_begin: AtomicI64::new(UNKNOWN) }
    }
}

impl StoreClock {
    /// The time by the store's clock; `None` until it has been measured.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let at_begin = self.at_begin.load(Ordering::Relaxed);
        let now = at_begin.checked_add(self.since_begun(Instant::now()))?;
        Timestamp::from_microsecond(now).ok().filter(|_| at_begin != UNKNOWN)
    }

    /// The store has said that it is `now`, in an answer to what was `asked` then and has just arrived. The clock
    /// is only moved by what the time that the answer took does not account for, so that it runs evenly.
    pub fn measured(&self, now: Timestamp, asked: Instant) {
        let half = asked.elapsed() / 2;
        let at_begin = now.as_microsecond().saturating_sub(self.since_begun(asked + half));
        let before = self.at_begin.load(Ordering::Relaxed);
        let difference = Duration::from_micros(at_begin.abs_diff(before));
        if before == UNKNOWN || difference > half + PRECISION {
            self.at_begin.store(at_begin, Ordering::Relaxed);
        }
    }

    fn since_begun(&self, then: Instant) -> i64 {
        i64::try_from(then.saturating_duration_since(self.begun).as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn hours_off(clock: &StoreClock) -> i64 {
        let off = clock.now().unwrap().duration_since(Timestamp::now());
        (off + SignedDuration::from_mins(30)).as_hours()
    }

    #[test]
    fn it_goes_by_what_was_measured_last_and_not_by_what_the_answer_took() {
        let clock = StoreClock::default();
        assert_eq!(clock.now(), None);
        let (asked, off) = (Instant::now(), SignedDuration::from_hours(5));
        clock.measured(Timestamp::now() + off, asked);
        assert_eq!(hours_off(&clock), 5);
        // The answer took an hour, so that it is no more exact than what is known.
        if let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(3_600)) {
            clock.measured(Timestamp::now() + off - SignedDuration::from_mins(20), long_ago);
            assert_eq!(hours_off(&clock), 5);
        }
        clock.measured(Timestamp::now(), Instant::now());
        assert_eq!(hours_off(&clock), 0);
    }
}
