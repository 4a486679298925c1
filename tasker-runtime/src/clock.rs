//! Time and chance, through one handle, so that tests decide both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tasker_store::{StoreClock, later};
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
    /// The clock of the store, where it has one of its own.
    store: Option<Arc<StoreClock>>,
    /// How far the machine's time is off.
    off: SignedDuration,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Clock {
    /// The machine's time; on PostgreSQL the database's, by which all of its workers go, once the store is open.
    #[must_use]
    pub fn system() -> Self {
        let random = Arc::new(Mutex::new(fastrand::Rng::new()));
        Self { origin: None, store: None, off: SignedDuration::ZERO, random }
    }

    /// A machine's time that is off by so much: for tests of what goes by which clock.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    pub fn system_off_by(off: SignedDuration) -> Self {
        Self { off, ..Self::system() }
    }

    /// Goes by the clock of the store, if it has one, and if this is no virtual time.
    pub(crate) fn following(self, store: Option<Arc<StoreClock>>) -> Self {
        if self.origin.is_some() { self } else { Self { store, ..self } }
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
        let origin = Some((start, Instant::now()));
        Self { origin, store: None, off: SignedDuration::ZERO, random }
    }

    /// The time, to the microsecond: a store keeps no more, and what is kept equals what was said.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = match self.origin {
            None => self.store.as_ref().and_then(|store| store.now()).unwrap_or_else(|| self.machine_time()),
            Some((start, begun)) => later(start, begun.elapsed()),
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn machine_time(&self) -> Timestamp {
        let now = Timestamp::now();
        if self.off.is_zero() { now } else { now.checked_add(self.off).unwrap_or(now) }
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
