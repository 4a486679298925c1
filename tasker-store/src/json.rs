//! JSON as text, which is parsed only when somebody reads it as a type.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON text that is known to be valid; cheap to clone.
///
/// ```
/// use tasker::json::Json;
/// let json = Json::from_value(&[1, 2]).unwrap();
/// assert_eq!(json.get(), "[1,2]");
/// assert_eq!(json.to::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

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
    /// The JSON form of a value.
    ///
    /// # Errors
    ///
    /// When the value's `Serialize` fails, or has a map with keys that are not text.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(|raw| Self(raw.into()))
    }

    /// Checks that a text is JSON.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(raw.into()))
    }

    /// The empty list, `[]`.
    pub(crate) fn empty_list() -> Self {
        Self::list(std::iter::empty())
    }

    /// The list of these values.
    #[must_use]
    pub fn list<'a>(values: impl IntoIterator<Item = &'a Self>) -> Self {
        let texts: Vec<&str> = values.into_iter().map(Self::get).collect();
        // Valid values with commas between them, in brackets.
        Self::from_text(format!("[{}]", texts.join(","))).expect("a list of valid values is valid")
    }

    /// The JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
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
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}
