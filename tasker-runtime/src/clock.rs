//! Time and chance, through one handle, so that tests decide both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::later;
use tokio::time::Instant;

/// Where the engine gets the time and its random numbers.
///
/// ```
/// use tasker::clock::Clock;
/// let before = Clock::system().now();
/// assert!(Clock::system().now() >= before);
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Option<(Timestamp, Instant)>,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Clock {
    /// The machine's time.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: None, random: Arc::new(Mutex::new(fastrand::Rng::new())) }
    }

    /// Begins at `start` and goes on as tokio's time does: in a test with paused time, a wait of
    /// minutes is over as soon as nothing else is left to do. Random numbers follow from `seed`.
    ///
    /// Only for stores that answer on the runtime's own threads, as the memory store does: while a
    /// store waits for a disk in a thread of its own, paused time runs ahead. The file of
    /// `TestEngine::tables` is another that paused time waits for.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn paused(start: Timestamp, seed: u64) -> Self {
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        Self { origin: Some((start, Instant::now())), random }
    }

    /// The time, to the microsecond: a store keeps no more, and what is kept equals what was said.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = match self.origin {
            None => Timestamp::now(),
            Some((start, begun)) => later(start, begun.elapsed()),
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Waits until `time`.
    pub async fn sleep_until(&self, time: Timestamp) {
        // Somebody may set the machine's time, and timers stand still while the machine sleeps: look again
        // every minute.
        const LONGEST: Duration = Duration::from_secs(60);
        loop {
            let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            // Timers have a resolution of a millisecond; rounding up saves a second round.
            tokio::time::sleep(left.min(LONGEST) + Duration::from_micros(999)).await;
        }
    }

    /// A number from 0 up to, but not including, 1.
    #[must_use]
    pub fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}
