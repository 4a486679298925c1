//! Writes a value as JSON, within limits that apply while it is written: a value that is nested too deep
//! does not overflow the stack, and one that is too large, or endless, does not fill the memory.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::json::Json;
use crate::non_finite::{Search, find_non_finite};

/// The deepest nesting of lists and objects that any limit allows: deeper JSON cannot be read back.
pub const DEEPEST: usize = 127;

/// The largest JSON text that any limit allows, in bytes: 256 MiB.
pub const LARGEST: usize = 256 << 20;

/// Why a value cannot be written as JSON within limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonWriteError {
    /// It is too large.
    #[error("it has {} bytes, and may have {most}", counted(*.bytes, LARGEST))]
    TooLarge {
        /// How many bytes of JSON it has; [`LARGEST`] and one more when there are more than can be counted.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// It is nested too deep.
    #[error("it is nested {} levels deep, and may be {most}", counted(*.depth, DEEPEST))]
    TooDeep {
        /// How many levels it has; [`DEEPEST`] and one more when there are more than can be counted.
        depth: usize,
        /// How many it may have.
        most: usize,
    },
    /// It holds a number that JSON does not have.
    #[error("{} is {what}, which JSON does not have", named(path))]
    NotFinite {
        /// The place of the number, such as `items[3].price`; `.` for the value itself.
        path: String,
        /// The number: `NaN`, `inf` or `-inf`.
        what: String,
    },
    /// Its `Serialize` failed, or it has a map with keys that are not text.
    #[error("{0}")]
    Unserializable(String),
}

/// The place of a value in words.
fn named(path: &str) -> String {
    if path == "." { "it".to_owned() } else { format!("`{path}`") }
}

/// A number for messages; one above `most` was not counted to its end.
#[must_use]
pub fn counted(number: usize, most: usize) -> String {
    if number > most { format!("more than {most}") } else { number.to_string() }
}

/// Writes a value as JSON, in one line, that has at most so many bytes and levels.
pub(crate) fn write<T: Serialize + ?Sized>(
    value: &T,
    most_bytes: usize,
    most_depth: usize,
) -> Result<Json, JsonWriteError> {
    let (most_bytes, most_depth) = (most_bytes.min(LARGEST), most_depth.min(DEEPEST));
    write_bounded(
        value,
        Bounded { text: Vec::with_capacity(128), beyond: 0, most_bytes, last: LARGEST },
        most_depth,
    )
}

fn write_bounded<T: Serialize + ?Sized>(
    value: &T,
    mut out: Bounded,
    most_depth: usize,
) -> Result<Json, JsonWriteError> {
    let mut seen = Seen::default();
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Watching(&mut seen)));
    if seen.deepest > most_depth {
        return Err(JsonWriteError::TooDeep { depth: seen.deepest, most: most_depth });
    }
    if out.beyond > 0 {
        return Err(JsonWriteError::TooLarge { bytes: out.bytes().min(out.last + 1), most: out.most_bytes });
    }
    let unserializable = |error: &dyn std::fmt::Display| JsonWriteError::Unserializable(error.to_string());
    written.map_err(|error| unserializable(&error))?;
    // A number that JSON does not have was written as `null`, like a value that is not there.
    if seen.null
        && let Err(Search::Found { path, what }) = find_non_finite(value)
    {
        return Err(JsonWriteError::NotFinite { path, what });
    }
    String::from_utf8(out.text).map(Json::unchecked).map_err(|error| unserializable(&error))
}

/// Keeps a text up to a limit, and counts what comes after it.
struct Bounded {
    text: Vec<u8>,
    /// How many bytes came after the text.
    beyond: usize,
    most_bytes: usize,
    /// How far it counts.
    last: usize,
}

impl Bounded {
    fn bytes(&self) -> usize {
        self.text.len() + self.beyond
    }
}

impl io::Write for Bounded {
    #[inline]
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part).map(|()| part.len())
    }

    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        // Neither can overflow: no text is as long as half of the address space.
        if self.text.len() + part.len() <= self.most_bytes && self.beyond == 0 {
            self.text.extend_from_slice(part);
            return Ok(());
        }
        self.beyond += part.len();
        if self.bytes() > self.last { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was seen of a value while it was written.
#[derive(Default)]
struct Seen {
    level: usize,
    deepest: usize,
    /// Whether a `null` was written, which may stand for a number that JSON does not have.
    null: bool,
}

impl Seen {
    #[inline]
    fn enter(&mut self) -> io::Result<()> {
        self.level += 1;
        self.deepest = self.deepest.max(self.level);
        if self.level > DEEPEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    }

    #[inline]
    fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }
}

/// Writes compact JSON, and watches what is written.
struct Watching<'s>(&'s mut Seen);

impl Formatter for Watching<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.null = true;
        writer.write_all(b"null")
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.enter()?;
        writer.write_all(b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.leave();
        writer.write_all(b"]")
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.enter()?;
        writer.write_all(b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.leave();
        writer.write_all(b"}")
    }

    /// Writes JSON that is text already, without the white space between its parts.
    fn write_raw_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let text = fragment.as_bytes();
        let mut from = 0;
        for (at, part) in structure(fragment) {
            match part {
                b'[' | b'{' => self.0.enter()?,
                b']' | b'}' => self.0.leave(),
                // White space.
                _ => {
                    writer.write_all(&text[from..at])?;
                    from = at + 1;
                }
            }
        }
        writer.write_all(&text[from..])
    }
}

/// How deeply lists and objects are nested in a JSON text; 0 for a text, a number, `true`, `false` or `null`.
#[must_use]
pub fn json_depth(text: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    for (_, part) in structure(text) {
        match part {
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The brackets and white space of a JSON text that are not in a string, each with its place.
fn structure(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut bytes = text.bytes().enumerate();
    std::iter::from_fn(move || {
        loop {
            match bytes.next()? {
                found @ (_, b'[' | b'{' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t') => return Some(found),
                (_, b'"') => {
                    // To the end of the string; an escaped quote does not end it.
                    while let Some((_, byte)) = bytes.next() {
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
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::ser::SerializeSeq as _;
    use serde::{Deserialize, Serializer};
    use serde_json::value::RawValue;
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
        const PARTS: [&str; 13] =
            ["[", "]", "{", "}", "\"", "\\", "\\\"", "\n", " ", "\u{1}", "é", "\u{1f600}", "a:,"];
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
    fn what_is_written_and_how_deep_it_is_does_not_depend_on_how_it_is_given() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..5_000 {
            let value = any_value(&mut random, 7);
            let depth = by_value(&value);
            let compact = serde_json::to_string(&value).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!((json_depth(&compact), json_depth(&pretty)), (depth, depth), "{compact}");
            assert_eq!(write(&value, LARGEST, depth).unwrap().get(), compact);
            let raw = RawValue::from_string(pretty).unwrap();
            assert_eq!(write(&raw, compact.len(), depth).unwrap().get(), compact);
            assert_eq!(write(&[&raw], LARGEST, depth + 1).unwrap().get(), format!("[{compact}]"));
            if depth > 0 {
                let too_deep = JsonWriteError::TooDeep { depth, most: depth - 1 };
                assert_eq!(write(&value, LARGEST, depth - 1).unwrap_err(), too_deep);
                assert_eq!(write(&raw, LARGEST, depth - 1).unwrap_err(), too_deep);
            }
            let (bytes, most) = (compact.len(), compact.len() - 1);
            assert_eq!(write(&raw, most, DEEPEST).unwrap_err(), JsonWriteError::TooLarge { bytes, most });
        }
    }

    #[derive(Serialize)]
    struct Nested {
        inner: Option<Box<Nested>>,
    }

    #[test]
    fn what_is_nested_without_end_is_left_after_the_deepest_level() {
        let mut nested = Nested { inner: None };
        for _ in 1..100_000 {
            nested = Nested { inner: Some(Box::new(nested)) };
        }
        let error = write(&nested, LARGEST, 64).unwrap_err();
        assert_eq!(error.to_string(), "it is nested more than 127 levels deep, and may be 64");
        // It is taken apart level by level, for the compiler's own way recurses.
        let mut next = Some(nested);
        while let Some(Nested { inner }) = next {
            next = inner.map(|inner| *inner);
        }
    }

    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            loop {
                list.serialize_element("and so on")?;
            }
        }
    }

    #[test]
    fn what_never_ends_is_left_when_it_has_been_counted_for_long_enough() {
        let out = Bounded { text: Vec::new(), beyond: 0, most_bytes: 100, last: 10_000 };
        let error = write_bounded(&Endless, out, 64).unwrap_err();
        assert_eq!(error, JsonWriteError::TooLarge { bytes: 10_001, most: 100 });
        let error = JsonWriteError::TooLarge { bytes: LARGEST + 1, most: 100 };
        assert_eq!(error.to_string(), "it has more than 268435456 bytes, and may have 100");
    }

    #[test]
    fn the_deepest_limit_is_what_readers_take() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::from_text(nested(DEEPEST)).unwrap().to::<Value>().is_ok());
        assert!(serde_json::from_str::<Value>(&nested(DEEPEST + 1)).is_err());
    }

    #[derive(Serialize, Deserialize)]
    enum Line {
        Plain(f64),
        Pair(f32, f64),
        Full { price: f64 },
        Empty,
    }

    #[track_caller]
    fn not_finite(value: &impl Serialize, expected: &str) {
        assert_eq!(write(value, LARGEST, DEEPEST).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_number_that_json_does_not_have_is_named_with_its_place() {
        not_finite(&f64::NAN, "it is NaN, which JSON does not have");
        not_finite(&vec![Some(0.5), None, Some(f32::INFINITY)], "`[2]` is inf, which JSON does not have");
        let by_name = BTreeMap::from([("a", Line::Empty), ("b", Line::Full { price: f64::NEG_INFINITY })]);
        not_finite(&by_name, "`b.Full.price` is -inf, which JSON does not have");
        let by_number = BTreeMap::from([(7, (Line::Plain(1.5), Line::Pair(f32::NAN, 0.0)))]);
        not_finite(&by_number, "`7[1].Pair[0]` is NaN, which JSON does not have");
        let lines = [Line::Plain(1.5), Line::Pair(0.0, 1.0), Line::Full { price: 0.1 }, Line::Empty];
        let json = write(&(lines, None::<f64>, ()), LARGEST, DEEPEST).unwrap();
        assert_eq!(
            json.get(),
            r#"[[{"Plain":1.5},{"Pair":[0.0,1.0]},{"Full":{"price":0.1}},"Empty"],null,null]"#
        );
    }

    #[test]
    fn a_value_that_cannot_be_serialized_says_why() {
        let error = write(&BTreeMap::from([((1, 2), 3)]), LARGEST, DEEPEST).unwrap_err();
        assert_eq!(error.to_string(), "key must be a string");
    }
}
