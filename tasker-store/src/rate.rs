//! How often attempts may start.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How often attempts may start: the time between two of them.
///
/// ```
/// use std::time::Duration;
/// use tasker::limits::Rate;
/// let rate: Rate = "100/s".parse().unwrap();
/// assert_eq!(rate.every(), Duration::from_millis(10));
/// assert_eq!("3/10min".parse::<Rate>().unwrap().every(), Duration::from_secs(200));
/// assert_eq!(rate.to_string(), "100/s");
/// assert!("0/s".parse::<Rate>().is_err() && "fast".parse::<Rate>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    every: Duration,
}

/// The text or the numbers are not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write how many starts in how much time, such as `100/s`, `5/min`, `20/h` or `3/10s`: \
    more than none, and at most 1000000/s"
)]
pub struct RateError;

/// The shortest and the longest time between two starts.
const EVERY: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(1)..=Duration::from_secs(365 * 86_400);

impl Rate {
    /// The rate of this many starts in this much time, evenly spaced.
    ///
    /// # Errors
    ///
    /// When `starts` is 0, or the rate is more than a million a second or less than one a year.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rate = tasker::limits::Rate::new(20, Duration::from_secs(60)).unwrap();
    /// assert_eq!(rate.every(), Duration::from_secs(3));
    /// ```
    pub fn new(starts: u32, per: Duration) -> Result<Self, RateError> {
        Self::spaced(per.checked_div(starts).ok_or(RateError)?).ok_or(RateError)
    }

    /// The rate of starts that are this far apart. `None` when that is less than a microsecond, or more than
    /// a year.
    pub fn spaced(every: Duration) -> Option<Self> {
        // Stores keep whole microseconds; rounded up.
        let kept = Duration::from_micros(u64::try_from(every.as_nanos().div_ceil(1_000)).ok()?);
        EVERY.contains(&every).then_some(Self { every: kept })
    }

    /// The time between two starts.
    #[must_use]
    pub fn every(self) -> Duration {
        self.every
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (starts, per) = text.split_once('/').ok_or(RateError)?;
        let starts: u32 = starts.trim().parse().map_err(|_| RateError)?;
        let per = per.trim();
        let (number, unit) = per.split_at(per.find(|c: char| !c.is_ascii_digit()).ok_or(RateError)?);
        let number: u64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| RateError)? };
        let seconds = match unit.trim() {
            "s" => 1,
            "min" | "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(RateError),
        };
        Self::new(starts, Duration::from_secs(number.checked_mul(seconds).ok_or(RateError)?))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = self.every.as_secs_f64();
        let units = [(1.0, "s"), (60.0, "min"), (3_600.0, "h"), (86_400.0, "d")]
            .map(|(per, unit)| (per / every, unit));
        // A third of a second is kept as 333334 microseconds.
        let whole =
            |starts: f64| starts > 0.5 && (starts.round() - starts).abs() <= starts / every / 1e6 + 1e-9;
        if let Some((starts, unit)) = units.into_iter().find(|(starts, _)| whole(*starts)) {
            return write!(f, "{starts:.0}/{unit}");
        }
        match units.into_iter().find(|(starts, _)| *starts > 1.0) {
            Some((starts, unit)) => write!(f, "{starts:.3}/{unit}"),
            None => write!(f, "1/{:.0}h", every / 3_600.0),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_rate(text: &str, every: Duration, shown: &str) {
        let rate: Rate = text.parse().unwrap();
        assert_eq!((rate.every(), rate.to_string().as_str()), (every, shown));
        assert_eq!(rate.to_string().parse::<Rate>().unwrap().to_string(), shown);
    }

    #[test]
    fn a_rate_is_shown_as_it_was_written() {
        check_rate("100/s", Duration::from_millis(10), "100/s");
        check_rate("3/s", Duration::from_micros(333_334), "3/s");
        check_rate("60/min", Duration::from_secs(1), "1/s");
        check_rate("7/min", Duration::from_micros(8_571_429), "7/min");
        check_rate("5/10s", Duration::from_secs(2), "30/min");
        check_rate("5/36s", Duration::from_millis(7_200), "500/h");
        check_rate(" 1 / h", Duration::from_secs(3_600), "1/h");
        check_rate("1/3d", Duration::from_secs(3 * 86_400), "1/72h");
        check_rate("1000000/s", Duration::from_micros(1), "1000000/s");
        for text in [
            "",
            "100",
            "/s",
            "0/s",
            "-1/s",
            "1.5/s",
            "1/",
            "1/0s",
            "1/week",
            "2000000/s",
            "1/999999999999999999d",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }
}
