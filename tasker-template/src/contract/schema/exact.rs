//! The order of JSON numbers, without rounding.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// From here on, not every whole number is a float.
const WHOLE_FLOATS: i128 = 1 << 53;

/// Compares two numbers; `None` when one is not a number, or when rounding could decide.
pub(super) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    let (one, other) = (one.as_number()?, other.as_number()?);
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        (one_whole, other_whole) => {
            let is_exact = |whole: Option<i128>| whole.is_none_or(|whole| whole.abs() < WHOLE_FLOATS);
            if !is_exact(one_whole) || !is_exact(other_whole) {
                return None;
            }
            one.as_f64()?.partial_cmp(&other.as_f64()?)
        }
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}
