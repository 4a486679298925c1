//! Plain scalars that look like numbers, and of which another value than the written one would be kept.

use crate::diagnostic::Code;
use crate::fields::Report;
use crate::node::{Node, Value};

/// Whether this is an integer with a zero that it does not need: `065`, `-007`.
///
/// YAML 1.1 reads it in base 8, YAML 1.2 in base 10, and the parser of Tasker Core as text.
pub(crate) fn has_leading_zero(text: &str) -> bool {
    is_integer(text) && unsigned(text).len() > 1 && unsigned(text).starts_with('0')
}

/// The number in base 10 without the zeros that it does not need.
pub(crate) fn without_leading_zeros(text: &str) -> String {
    let digits = unsigned(text).trim_start_matches('0');
    let sign = if text.starts_with('-') { "-" } else { "" };
    if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") }
}

/// Reports the numbers in `node`, which becomes JSON, that are not kept as they are written.
pub(crate) fn check(node: &Node, report: &mut Report<'_>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| check(item, report)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| check(value, report)),
        Value::String(kept) => {
            // A quoted text has its quotes in the source.
            let is_plain = report.source.slice(node.span) == kept;
            if is_plain && has_leading_zero(kept) && report.is_new_number(node.span) {
                let message = format!("`{kept}` is read as text, because of the zero that it begins with");
                let number = without_leading_zeros(kept);
                let hint = format!("write `\"{kept}\"` for the text, or `{number}` for the number");
                report.warning_with(node.span, Code::InexactNumber, message, Some(hint));
            }
        }
        Value::Number(kept) => {
            let written = report.source.slice(node.span);
            if kept.is_f64() && rounds(written, &kept.to_string()) && report.is_new_number(node.span) {
                let message = format!("the number `{written}` has more digits than are kept of it");
                let hint =
                    format!("write `\"{written}\"` to keep all of it as text, or `{kept}` for the number");
                if is_integer(written) {
                    report.error_with(node.span, Code::InexactNumber, message, Some(hint));
                } else {
                    report.warning_with(node.span, Code::InexactNumber, message, Some(hint));
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn is_integer(text: &str) -> bool {
    !unsigned(text).is_empty() && unsigned(text).bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two spellings are decimal numbers of different value.
fn rounds(written: &str, kept: &str) -> bool {
    match (decimal(written), decimal(kept)) {
        (Some(written), Some(kept)) => written != kept,
        _ => false,
    }
}

/// The significant digits of a number, and the power of ten of the last one.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = unsigned(mantissa).split_once('.').unwrap_or((unsigned(mantissa), ""));
    let digits = format!("{whole}{fraction}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent = exponent.parse::<i64>().ok()?;
    let shift = i64::try_from(trailing_zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    Some((significant.to_owned(), exponent.checked_add(shift)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_when_all_its_digits_are() {
        for (written, kept) in [
            ("1.50", "1.5"),
            ("+1e3", "1000.0"),
            ("0.001", "1e-3"),
            ("100000000000000000000", "1e20"),
            ("0.0", "0.0"),
            (".5", "0.5"),
        ] {
            assert!(!rounds(written, kept), "{written}");
        }
        for (written, kept) in [
            ("12345678901234567890123", "1.2345678901234568e22"),
            ("3.14159265358979323846", "3.141592653589793"),
            ("1e-400", "0.0"),
        ] {
            assert!(rounds(written, kept), "{written}");
        }
    }
}
