//! A series of measurements.

use std::fmt;

/// The least, the median and the greatest of a series.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Figures {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self { min: values[0], median: values[values.len() / 2], max: values[values.len() - 1] }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} / {:.2} / {:.2}", self.min, self.median, self.max)
    }
}
