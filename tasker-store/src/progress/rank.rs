//! In which order runs are claimed.

use jiff::Timestamp;

/// A point of priority is worth this many microseconds of waiting: work of low priority is passed over
/// for a while, and never for ever.
const WORTH_OF_A_POINT: i64 = 60_000_000;

/// The place in the order of claims of a run that can start at `at`; the smallest comes first.
#[must_use]
pub fn rank(at: Timestamp, priority: i32) -> i64 {
    at.as_microsecond().saturating_sub(WORTH_OF_A_POINT.saturating_mul(i64::from(priority)))
}

/// When a run of this rank could start for the first time.
#[must_use]
pub fn ready_at(rank: i64, priority: i32) -> Option<Timestamp> {
    let worth = WORTH_OF_A_POINT.saturating_mul(i64::from(priority));
    Timestamp::from_microsecond(rank.saturating_add(worth)).ok()
}
