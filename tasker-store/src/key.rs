//! The key of a run: its step, and which of the step's runs it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use tasker_template::StepIndex;

/// Names one run of a step. An ordinary step has one run, instance 0. A step with several runs has the
/// instances from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The step.
    pub step: StepIndex,
    /// The number of the run: 0 for the only one, or from 1.
    pub instance: u32,
}

impl StepKey {
    /// One of several runs of a step, from 1.
    #[must_use]
    pub const fn instance(step: StepIndex, instance: u32) -> Self {
        Self { step, instance }
    }

    /// Whether it is the only run of an ordinary step.
    #[must_use]
    pub const fn is_only(self) -> bool {
        self.instance == 0
    }

    /// Keys as the list of numbers that stores keep: `step` for the only run of a step, and the two numbers
    /// `-1 - step, instance` for one of several.
    #[must_use]
    pub fn to_numbers(keys: &[Self]) -> Vec<i64> {
        let mut numbers = Vec::with_capacity(keys.len());
        for key in keys {
            match key.instance {
                0 => numbers.push(key.step.into()),
                instance => numbers.extend([-1 - i64::from(key.step), instance.into()]),
            }
        }
        numbers
    }

    /// The keys in such a list; `None` when the list is malformed.
    #[must_use]
    pub fn from_numbers(numbers: &[i64]) -> Option<Vec<Self>> {
        let mut keys = Vec::with_capacity(numbers.len());
        let mut numbers = numbers.iter().copied();
        while let Some(number) = numbers.next() {
            let key = if number < 0 {
                let step = u32::try_from(-1 - number).ok()?;
                Self { step, instance: u32::try_from(numbers.next()?).ok().filter(|number| *number > 0)? }
            } else {
                Self::from(u32::try_from(number).ok()?)
            };
            keys.push(key);
        }
        Some(keys)
    }
}

/// The only run of an ordinary step.
impl From<StepIndex> for StepKey {
    fn from(step: StepIndex) -> Self {
        Self { step, instance: 0 }
    }
}

/// `3` for the only run of step 3, `3#017` for the 17th of several.
impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instance {
            0 => write!(f, "{}", self.step),
            instance => write!(f, "{}#{instance:03}", self.step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_runs_reads_back() {
        let keys = [StepKey::from(0), StepKey::instance(0, 1), StepKey::instance(7, 250), StepKey::from(9)];
        assert_eq!(StepKey::to_numbers(&keys), [0, -1, 1, -8, 250, 9]);
        assert_eq!(StepKey::from_numbers(&StepKey::to_numbers(&keys)).unwrap(), keys);
        for broken in [&[-1][..], &[-1, 0], &[-1, -1], &[1 << 40]] {
            assert_eq!(StepKey::from_numbers(broken), None, "{broken:?}");
        }
    }
}
