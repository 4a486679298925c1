//! The form in which two JSON texts are compared: the order of keys, white space and how a text or a number is
//! written make no difference, and every digit does.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::json_write::{DEEPEST, json_depth};

/// The canonical form of a JSON text; `None` when the text is not JSON, or is nested deeper than any limit allows.
pub(crate) fn canonical(text: &str) -> Option<String> {
    if json_depth(text) > DEEPEST {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    write(raw.get(), &mut out).ok()?;
    Some(out)
}

fn write(text: &str, out: &mut String) -> Result<(), serde_json::Error> {
    match text.as_bytes().first() {
        Some(b'{') => {
            // In the order of their keys. Of a key that is there twice, the last counts, as everywhere.
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            out.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&serde_json::to_string(&key)?);
                out.push(':');
                write(value.get(), out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push('[');
            for (at, item) in items.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item.get(), out)?;
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&serde_json::to_string(&serde_json::from_str::<String>(text)?)?),
        Some(b'-' | b'0'..=b'9') => out.push_str(&number(text)),
        _ => out.push_str(text),
    }
    Ok(())
}

/// A number as `serde_json` writes it, if that has all of its digits; otherwise with all of its digits.
fn number(text: &str) -> String {
    let digits = decimal(text);
    let short = serde_json::from_str::<serde_json::Number>(text).ok().map(|number| number.to_string());
    short.filter(|short| decimal(short) == digits).or(digits).unwrap_or_else(|| text.to_owned())
}

/// The digits of a number without zeros around them, and their exponent; `None` when that is out of all range.
fn decimal(text: &str) -> Option<String> {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(format!("{sign}0"));
    }
    let exponent = exponent.checked_add(zeros)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some(format!("{sign}{significant}e{exponent}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_value_can_hold_has_the_form_that_it_always_had() {
        // The hashes of the tasks in a store are made of it.
        let value =
            json!({"b": [1, -2, 0.5, 1e300, -0.0, u64::MAX, null, true], "a": {"y": "é\n\"", "x": {}}});
        let expected =
            r#"{"a":{"x":{},"y":"é\n\""},"b":[1,-2,0.5,1e+300,-0.0,18446744073709551615,null,true]}"#;
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            assert_eq!(canonical(&text).unwrap(), expected);
        }
        for text in ["1.50", "1.5", "15e-1", "0.15E+1"] {
            assert_eq!(canonical(text).unwrap(), "1.5");
            assert_eq!(serde_json::from_str::<Value>(text).unwrap().to_string(), "1.5");
        }
        assert_eq!(canonical(r#"{"a":1,"a":2,"b":"\u0041"}"#).unwrap(), r#"{"a":2,"b":"A"}"#);
    }

    #[test]
    fn every_digit_counts() {
        let long = "123456789012345678901234567890";
        assert_eq!(canonical(long).unwrap(), "12345678901234567890123456789e1");
        assert_ne!(canonical(long), canonical("123456789012345678901234567891"));
        assert_eq!(canonical("0.1000000000000000055"), canonical("1000000000000000055e-19"));
        assert_ne!(canonical("0.1000000000000000055"), canonical("0.1"));
        assert_eq!(canonical("1e400").unwrap(), "1e400");
        assert_eq!(canonical("10e399"), canonical("1e400"));
        let beyond = "1e99999999999999999999";
        assert_eq!(canonical(beyond).unwrap(), beyond);
    }

    #[test]
    fn what_is_no_json_has_no_form() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "{", "nonsense", r#""\ud800""#, &deep] {
            assert_eq!(canonical(text), None);
        }
    }
}
