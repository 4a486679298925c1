//! Payload limits: how large and how deeply nested what goes into a record may be. This is the one place for
//! them: contexts, results, and errors with their contexts.

use serde::Serialize;
use serde_json::{Value, json};
use tasker_store::{DEEPEST, Json, JsonWriteError, LARGEST, counted, json_depth};

use crate::client::error::ContextError;
use crate::handler::step_error::StepError;

/// The longest message of an error, in bytes.
pub(crate) const LONGEST_MESSAGE: usize = 16 * 1024;
/// The longest code of an error, in bytes.
pub(crate) const LONGEST_CODE: usize = 256;

/// How large, and how deeply nested, contexts and results may be in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadLimits {
    /// The largest size of a task's context, in bytes.
    pub(super) context_bytes: usize,
    /// The largest size of a step's result or of an error's context, in bytes.
    pub(super) result_bytes: usize,
    /// How many levels of lists and objects all of them may have.
    pub(super) depth: usize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self { context_bytes: 1 << 20, result_bytes: 1 << 20, depth: 64 }
    }
}

impl PayloadLimits {
    /// Checks the context of a new task.
    pub(crate) fn check_context(&self, context: &Json) -> Result<(), ContextError> {
        let checked = check(context.get(), self.context_bytes, self.depth);
        checked.map_err(|error| self.context_refused(error))
    }

    /// Why a context cannot be used, with the limits of this process.
    pub(crate) fn context_refused(&self, error: JsonWriteError) -> ContextError {
        match error {
            JsonWriteError::TooLarge { bytes, .. } => {
                ContextError::TooLarge { bytes, limit: self.context_bytes }
            }
            JsonWriteError::TooDeep { depth, .. } => ContextError::TooDeep { depth, limit: self.depth },
            JsonWriteError::NotFinite { .. } | JsonWriteError::Unserializable(_) => {
                ContextError::Unwritable(error.to_string())
            }
        }
    }

    /// Checks a result that is JSON already.
    pub(crate) fn check_result(&self, result: &Json) -> Result<(), JsonWriteError> {
        check(result.get(), self.result_bytes, self.depth)
    }

    /// Writes a result as JSON. The limits apply while it is written.
    pub(crate) fn write_result<T: Serialize + ?Sized>(&self, result: &T) -> Result<Json, JsonWriteError> {
        Json::within(result, self.result_bytes, self.depth)
    }

    /// The context of an error as it is recorded: a note takes the place of one that is beyond the limits of a
    /// result.
    pub(crate) fn error_context(&self, context: &Value) -> Value {
        // The record around it is a level as well.
        let depth = self.depth.min(DEEPEST - 1);
        match Json::within(context, self.result_bytes, depth) {
            Ok(_) => context.clone(),
            Err(excess) => omitted(&excess),
        }
    }
}

/// What is recorded in the place of an error's context that is not kept.
fn omitted(excess: &JsonWriteError) -> Value {
    json!({ "omitted": format!("the context of this error is not kept: {excess}") })
}

/// An error's context that is nested no deeper than can be written: a note takes the place of one that is.
pub(crate) fn bounded_depth(context: Value) -> Value {
    let depth = depth_of(&context);
    if depth < DEEPEST {
        return context;
    }
    // Taken apart level by level: dropping it as a whole recurses.
    let mut parts = vec![context];
    while let Some(part) = parts.pop() {
        match part {
            Value::Array(items) => parts.extend(items),
            Value::Object(fields) => parts.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    let most = DEEPEST - 1;
    json!({ "omitted": format!(
        "the context of this error is not kept: it is nested {depth} levels deep, and may be {most}"
    ) })
}

/// How deeply lists and objects are nested in a value. Does not recurse.
fn depth_of(value: &Value) -> usize {
    let (mut open, mut deepest) = (vec![(value, 1)], 0);
    while let Some((value, level)) = open.pop() {
        let below = level + 1;
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, below))),
            Value::Object(fields) => open.extend(fields.values().map(|value| (value, below))),
            _ => continue,
        }
        deepest = deepest.max(level);
    }
    deepest
}

fn check(text: &str, most_bytes: usize, most_depth: usize) -> Result<(), JsonWriteError> {
    if text.len() > most_bytes {
        return Err(JsonWriteError::TooLarge { bytes: text.len(), most: most_bytes });
    }
    // Every level takes two brackets: most texts are too short to exceed the limit.
    if text.len() / 2 <= most_depth {
        return Ok(());
    }
    let depth = json_depth(text);
    if depth > most_depth { Err(JsonWriteError::TooDeep { depth, most: most_depth }) } else { Ok(()) }
}

/// The permanent failure of an attempt whose result cannot be recorded: the same code would return the same
/// result again.
pub(crate) fn result_refused(step: &str, error: &JsonWriteError) -> StepError {
    let (message, code) = match error {
        JsonWriteError::TooLarge { bytes, most } => {
            let bytes = counted(*bytes, LARGEST);
            let message = format!(
                "the result of step `{step}` has {bytes} bytes, and may have {most} (`max_result_bytes`)"
            );
            (message, "RESULT_TOO_LARGE")
        }
        JsonWriteError::TooDeep { depth, most } => {
            let depth = counted(*depth, DEEPEST);
            let message = format!(
                "the result of step `{step}` is nested {depth} levels deep, and may be {most} (`max_depth`)"
            );
            (message, "RESULT_TOO_DEEP")
        }
        JsonWriteError::NotFinite { .. } | JsonWriteError::Unserializable(_) => {
            (format!("the result of step `{step}` cannot be written as JSON: {error}"), "INVALID_RESULT")
        }
    };
    StepError::permanent(message).with_code(code)
}

/// A text that is cut to this many bytes, and then says how many there were.
pub(crate) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let bytes = text.len();
        text.truncate(text.floor_char_boundary(longest));
        text.shrink_to_fit();
        text.push_str(&format!("… ({bytes} bytes in all)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(0), |value, _| json!([value]))
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check(&nested(64), 1_000, 64), Ok(()));
        assert_eq!(check(&nested(65), 1_000, 64), Err(JsonWriteError::TooDeep { depth: 65, most: 64 }));
        assert_eq!(check("[1,2]", 5, 64), Ok(()));
        assert_eq!(check("[1,2]", 4, 64), Err(JsonWriteError::TooLarge { bytes: 5, most: 4 }));
        assert_eq!(check("{}", 9, 0), Err(JsonWriteError::TooDeep { depth: 1, most: 0 }));
        assert_eq!(check("7", 9, 0), Ok(()));
    }

    #[test]
    fn the_context_of_an_error_is_kept_within_the_limits_and_noted_beyond_them() {
        let mut limits = PayloadLimits::default();
        assert_eq!(limits.error_context(&nested(64)), nested(64));
        let note = limits.error_context(&nested(65)).to_string();
        assert!(note.contains("it is nested 65 levels deep, and may be 64"), "{note}");
        let note = limits.error_context(&json!("x".repeat(2 << 20))).to_string();
        assert!(note.contains("it has 2097154 bytes, and may have 1048576"), "{note}");
        // With its record around it, it can be read back.
        limits.depth = DEEPEST;
        assert_eq!(limits.error_context(&nested(126)), nested(126));
        assert!(serde_json::from_str::<Value>(&json!([nested(126)]).to_string()).is_ok());
        assert_ne!(limits.error_context(&nested(127)), nested(127));
    }

    #[test]
    fn a_context_of_any_depth_is_measured_and_dropped() {
        assert_eq!([0, 1, 64].map(|levels| depth_of(&nested(levels))), [0, 1, 64]);
        assert_eq!(bounded_depth(nested(126)), nested(126));
        let mut endless = json!({});
        for _ in 1..200_000 {
            endless = Value::Object([("a".to_owned(), endless)].into_iter().collect());
        }
        let note = bounded_depth(endless).to_string();
        assert!(note.contains("it is nested 200000 levels deep, and may be 126"), "{note}");
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_long_it_was() {
        assert_eq!(cut("abc".to_owned(), 3), "abc");
        assert_eq!(cut("aéb".to_owned(), 2), "a… (4 bytes in all)");
    }
}
