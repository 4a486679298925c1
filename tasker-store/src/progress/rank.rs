//! The order in which runs are claimed.

use jiff::Timestamp;

/// A point of priority is worth this many microseconds of waiting. Work of low priority is therefore delayed
/// for a bounded time.
const WORTH_OF_A_POINT: i64 = 60_000_000;

/// The rank of a run that can start at `at`. Runs are claimed in the order of their ranks, the smallest
/// first.
#[must_use]
pub fn rank(at: Timestamp, priority: i32) -> i64 {
    at.as_microsecond().saturating_sub(WORTH_OF_A_POINT.saturating_mul(i64::from(priority)))
}

/// The time from which on a run of this rank could start; `None` when the time is out of range.
#[must_use]
pub fn ready_at(rank: i64, priority: i32) -> Option<Timestamp> {
    let worth = WORTH_OF_A_POINT.saturating_mul(i64::from(priority));
    Timestamp::from_microsecond(rank.saturating_add(worth)).ok()
}
