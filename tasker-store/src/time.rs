//! Arithmetic with times that a store keeps.

use std::time::Duration;

use jiff::Timestamp;

/// `time + span`, but at most a time in the year 9892: every store can keep that time, and no task waits for
/// it.
pub fn later(time: Timestamp, span: Duration) -> Timestamp {
    const FAR_OFF: Timestamp = Timestamp::constant(250_000_000_000, 0);
    time.checked_add(span).map_or(FAR_OFF, |later| later.min(FAR_OFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_all_times_is_one_that_reads_back() {
        for span in [Duration::MAX, Duration::from_secs(253_000_000_000), Duration::from_secs(1)] {
            let time = later(Timestamp::UNIX_EPOCH, span);
            assert_eq!(Timestamp::from_microsecond(time.as_microsecond()).unwrap(), time);
        }
    }
}
