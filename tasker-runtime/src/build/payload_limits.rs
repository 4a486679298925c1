//! Payload limits: how large, and how deeply nested, a context or a result may be.

use tasker_store::Json;

/// The highest possible limit of the depth: JSON that is nested deeper cannot be read.
pub(crate) const DEEPEST: usize = 127;

/// How large, and how deeply nested, contexts and results may be in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadLimits {
    /// The largest size of a task's context, in bytes.
    pub(crate) context_bytes: usize,
    /// The largest size of a step's result, in bytes.
    pub(crate) result_bytes: usize,
    /// How many levels of lists and objects both may have.
    pub(crate) depth: usize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self { context_bytes: 1 << 20, result_bytes: 1 << 20, depth: 64 }
    }
}

/// The payload limit that a JSON text exceeds: what the text has, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// The size, both in bytes.
    Bytes(usize, usize),
    /// The depth, both in levels.
    Depth(usize, usize),
}

impl PayloadLimits {
    pub(crate) fn context(&self, context: &Json) -> Result<(), Excess> {
        within(context.get(), self.context_bytes, self.depth)
    }

    pub(crate) fn result(&self, result: &Json) -> Result<(), Excess> {
        within(result.get(), self.result_bytes, self.depth)
    }
}

fn within(text: &str, max_bytes: usize, max_depth: usize) -> Result<(), Excess> {
    if text.len() > max_bytes {
        return Err(Excess::Bytes(text.len(), max_bytes));
    }
    // Every level takes two brackets: most texts are too short to exceed the limit.
    if text.len() / 2 <= max_depth {
        return Ok(());
    }
    let depth = depth(text);
    if depth > max_depth { Err(Excess::Depth(depth, max_depth)) } else { Ok(()) }
}

/// How deeply lists and objects are nested in a JSON text; 0 for a text, a number, `true`, `false` or
/// `null`.
fn depth(text: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            b'"' => {
                // Skips to the end of the string; an escaped quote does not end it.
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The depth by its definition, computed from the parsed value.
    fn by_value(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(by_value).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(by_value).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Texts that look like structure, with everything that is escaped.
    fn any_text(random: &mut fastrand::Rng) -> String {
        const PARTS: [&str; 12] =
            ["[", "]", "{", "}", "\"", "\\", "\\\"", "\n", "\u{1}", "é", "\u{1f600}", "a:,"];
        (0..random.usize(..8)).map(|_| PARTS[random.usize(..PARTS.len())]).collect()
    }

    fn any_value(random: &mut fastrand::Rng, levels: usize) -> Value {
        match random.u8(..if levels == 0 { 4 } else { 8 }) {
            0 => Value::Null,
            1 => json!(random.bool()),
            2 => json!(random.i64(..)),
            3 => any_text(random).into(),
            4 | 5 => (0..random.usize(..4)).map(|_| any_value(random, levels - 1)).collect(),
            _ => {
                let fields =
                    (0..random.usize(..4)).map(|_| (any_text(random), any_value(random, levels - 1)));
                Value::Object(fields.collect())
            }
        }
    }

    #[test]
    fn depth_of_the_text_is_that_of_the_value() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..5_000 {
            let value = any_value(&mut random, 7);
            let expected = by_value(&value);
            let compact = serde_json::to_string(&value).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!((depth(&compact), depth(&pretty)), (expected, expected), "{compact}");
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(within(&nested(64), 1_000, 64), Ok(()));
        assert_eq!(within(&nested(65), 1_000, 64), Err(Excess::Depth(65, 64)));
        assert_eq!(within("[1,2]", 5, 64), Ok(()));
        assert_eq!(within("[1,2]", 4, 64), Err(Excess::Bytes(5, 4)));
        assert_eq!((within("{}", 9, 0), within("7", 9, 0)), (Err(Excess::Depth(1, 0)), Ok(())));
    }

    #[test]
    fn the_deepest_limit_is_what_readers_take() {
        let nested = |levels: usize| Json::from_text(format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(nested(DEEPEST).unwrap().to::<Value>().is_ok());
        let deeper = format!("{}{}", "[".repeat(DEEPEST + 1), "]".repeat(DEEPEST + 1));
        assert!(serde_json::from_str::<Value>(&deeper).is_err());
    }
}
