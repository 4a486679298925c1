//! JSON as text, which is parsed only when somebody reads it as a type.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json_canonical;
use crate::json_write::{self, DEEPEST, JsonWriteError, LARGEST};

/// A JSON text, with every number as it was written; cheap to clone.
///
/// It is valid, unless it was read from a store that holds something else in its place: then
/// [`to`](Self::to) fails, and it is serialized as `{"unreadable": "what the text begins with"}`.
///
/// ```
/// use tasker::json::Json;
/// let json = Json::from_value(&[1, 2]).unwrap();
/// assert_eq!(json.get(), "[1,2]");
/// assert_eq!(json.to::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
#[derive(Clone)]
pub struct Json(Arc<str>);

/// A JSON text that does not have the expected form.
///
/// ```
/// let error = tasker::json::Json::from_value(&["x"]).unwrap().to::<Vec<u8>>().unwrap_err();
/// assert_eq!(error.path(), "[0]");
/// assert!(error.to_string().starts_with("`[0]`: invalid type"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", if .path == "." { String::new() } else { format!("`{path}`: ") })]
pub struct JsonError {
    path: String,
    reason: serde_json::Error,
}

impl JsonError {
    /// The place within the value, such as `items[3].price`; `.` for the value itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The reason. The error's own text contains it; it is therefore not the error's `source`.
    #[must_use]
    pub fn reason(&self) -> &serde_json::Error {
        &self.reason
    }
}

/// Reads a JSON text as a `T`.
///
/// # Errors
///
/// When the text does not have the form of a `T`; the error says where.
pub fn read_json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| JsonError { path: error.path().to_string(), reason: error.into_inner() })
}

impl Json {
    /// The JSON form of a value, in one line.
    ///
    /// # Errors
    ///
    /// When the value's `Serialize` fails, or has a map with keys that are not text; when it holds a number
    /// that JSON does not have; when it is nested more than 127 levels deep, or has more than 256 MiB.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::within(value, LARGEST, DEEPEST).map_err(serde::ser::Error::custom)
    }

    /// The JSON form of a value, in one line, that has at most so many bytes and so many levels of lists and
    /// objects. The limits apply while the value is written.
    ///
    /// # Errors
    ///
    /// As [`from_value`](Self::from_value), with these limits.
    ///
    /// ```
    /// let error = tasker::json::Json::within("a text", 5, 64).unwrap_err();
    /// assert_eq!(error.to_string(), "it has 8 bytes, and may have 5");
    /// ```
    pub fn within<T: Serialize + ?Sized>(
        value: &T,
        most_bytes: usize,
        most_depth: usize,
    ) -> Result<Self, JsonWriteError> {
        json_write::write(value, most_bytes, most_depth)
    }

    /// Checks that a text is JSON. It may be nested as deep as it likes.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    ///
    /// ```
    /// let json = tasker::json::Json::from_text("123456789012345678901234567890".to_owned()).unwrap();
    /// assert_eq!(json.get(), "123456789012345678901234567890");
    /// ```
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(Box::<str>::from(raw).into()))
    }

    /// A text that a store holds as JSON, whether it is or not: for whoever looks at it.
    #[must_use]
    pub fn unchecked(text: String) -> Self {
        Self(text.into())
    }

    /// Whether the text is JSON.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.raw().is_ok()
    }

    fn raw(&self) -> Result<&RawValue, serde_json::Error> {
        serde_json::from_str(self.get())
    }

    /// The empty list, `[]`.
    pub(crate) fn empty_list() -> Self {
        Self::list(std::iter::empty())
    }

    /// The list of these values.
    #[must_use]
    pub fn list<'a>(values: impl IntoIterator<Item = &'a Self>) -> Self {
        let texts: Vec<&str> = values.into_iter().map(Self::get).collect();
        // Valid values with commas between them, in brackets, are a valid list.
        Self::unchecked(format!("[{}]", texts.join(",")))
    }

    /// The JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }

    /// A form in which two texts are the same if they differ only in white space, in the order of keys, and in
    /// how a text or a number is written. Every digit counts. It is the text itself if that is not JSON.
    ///
    /// ```
    /// use tasker::json::Json;
    /// let [one, other] = [r#"{"a": 1.50, "b": 2}"#, r#"{"b":2,"a":1.5}"#]
    ///     .map(|text| Json::from_text(text.to_owned()).unwrap());
    /// assert_eq!(one.canonical(), other.canonical());
    /// ```
    #[must_use]
    pub fn canonical(&self) -> String {
        json_canonical::canonical(self.get()).unwrap_or_else(|| self.get().to_owned())
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    ///
    /// When the value does not have the form of a `T`; the error says where.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        read_json(self.get())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.raw() {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => unreadable(self.get()).serialize(serializer),
        }
    }
}

/// What stands in the place of a value that a store holds and nobody can read.
pub(crate) fn unreadable(text: &str) -> serde_json::Value {
    serde_json::json!({ "unreadable": beginning(text) })
}

/// As much of a text as a message can quote.
#[must_use]
pub fn beginning(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    format!("{}… ({} bytes in all)", &text[..text.floor_char_boundary(LONGEST)], text.len())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(Box::<str>::from(raw).into()))
    }
}
