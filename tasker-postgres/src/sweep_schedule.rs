//! When to look for orphaned claims after a connection was lost.

use std::time::Duration;

use tokio::time::Instant;

/// A statement of a lost connection may still be executed for this long.
const LAST_SWEEP: Duration = Duration::from_secs(64);
/// The pause after the first sweep; each later one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause after a sweep that could not be done.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The next sweep for orphaned claims. There are several, ever further apart, for as long as a statement
/// of the lost connection may still be executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SweepSchedule {
    /// When the connection was lost.
    since: Instant,
    /// How long after that the sweep is due.
    after: Duration,
}

impl SweepSchedule {
    /// A connection was lost: the first sweep is due at once.
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), after: Duration::ZERO }
    }

    pub(crate) fn is_due(&self) -> bool {
        self.since.elapsed() >= self.after
    }

    /// The sweep that follows one that was done; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        let after = (self.after * 2).clamp(FIRST_PAUSE, LAST_SWEEP);
        (self.after < LAST_SWEEP).then_some(Self { after, ..self })
    }

    /// The same sweep, a little later.
    pub(crate) fn postponed(self) -> Self {
        Self { after: self.since.elapsed() + RETRY_PAUSE, ..self }
    }
}
