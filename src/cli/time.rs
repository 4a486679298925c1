//! Times, lengths of time and factors of them, as people write them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Reads a length of time, such as `30d` or `12h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|error| format!("{error}; write `30d` or `12h`"))?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|error: jiff::Error| error.to_string())?;
    if duration < SignedDuration::ZERO {
        return Err("it is negative; write `30d` or `12h`".to_owned());
    }
    Duration::try_from(duration).map_err(|error| error.to_string())
}

/// A time, or how far away it is by the clock that the store goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    In(Duration),
}

/// Reads a time, such as `2026-11-24T10:00:00Z`, or how far away it is, such as `10m` or `in 10m`.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(time) = text.parse() {
        return Ok(Moment::At(time));
    }
    let from_now = duration(text.strip_prefix("in ").unwrap_or(text)).ok();
    let is_a_time = |duration: &Duration| Timestamp::now().checked_add(*duration).is_ok();
    from_now.filter(is_a_time).map(Moment::In).ok_or_else(|| {
        "write a time, such as `2026-11-24T10:00:00Z`, or `10m` for 10 minutes from now".to_owned()
    })
}

/// Reads how many there may be: at least 1.
pub(super) fn from_one() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

/// Reads a factor: a number that is not negative.
///
/// # Errors
///
/// When it is no such number.
///
/// ```
/// assert_eq!(tasker::cli::factor("0.1"), Ok(0.1));
/// assert!(tasker::cli::factor("-1").is_err() && tasker::cli::factor("nan").is_err());
/// ```
pub fn factor(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.parse().ok();
    factor
        .filter(|factor| factor.is_finite() && *factor >= 0.0)
        .ok_or_else(|| "write a number from 0 up".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_far_away_it_is() {
        let time = moment("2026-11-24T10:00:00+01:00").unwrap();
        assert_eq!(time, Moment::At("2026-11-24T09:00:00Z".parse().unwrap()));
        for text in ["10m", "in 10m", "in 10 minutes", "PT10M"] {
            assert_eq!(moment(text), Ok(Moment::In(Duration::from_secs(600))), "{text}");
        }
        for text in ["", "soon", "-10m", "10", "2026-11-24", "in 99999999 hours"] {
            assert!(moment(text).unwrap_err().contains("write a time"), "{text}");
        }
    }
}
