//! Settings that have a range: what lies outside of it is a fault of the description.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::build::builder::Builder;
use crate::build::fault::BuildFault;

/// How often something is looked for.
pub(super) const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

impl Builder {
    /// The value, if it lies in the range.
    pub(super) fn in_range<T: Debug + PartialOrd>(
        &mut self,
        setting: &'static str,
        value: T,
        range: &RangeInclusive<T>,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (value, range) = (format!("{value:?}"), format!("from {:?} to {:?}", range.start(), range.end()));
        self.faults.push(BuildFault::OutOfRange { setting, value, range });
        None
    }
}
