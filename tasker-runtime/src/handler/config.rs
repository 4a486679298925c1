//! What a handler takes of `handler.initialization`, by type.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::handler::step_error::StepError;

/// The values that a template gives to the handler of a step: `handler.initialization`.
pub type Config = Map<String, Value>;

/// A parameter of a handler that takes a value of `handler.initialization`, or all of it.
///
/// `#[config]` on a parameter writes it.
///
/// ```
/// use tasker::{StepHandler, step_handler};
///
/// #[step_handler("Docs::Fetch")]
/// async fn fetch(#[config("url")] url: String) -> String {
///     url
/// }
/// let config = <fetch as StepHandler>::CONFIGS[0];
/// assert_eq!((config.key, config.parameter, config.optional), (Some("url"), "url", false));
/// ```
#[derive(Clone, Copy)]
pub struct ConfigParameter {
    /// The key of the value; `None` for all of `handler.initialization`.
    pub key: Option<&'static str>,
    /// The parameter.
    pub parameter: &'static str,
    /// Whether it may be missing.
    pub optional: bool,
    /// Reads and validates the value.
    #[doc(hidden)]
    pub check: fn(&Config) -> Result<(), StepError>,
    /// The values that its type does not have, each by the keys that lead to it.
    #[doc(hidden)]
    pub unused: fn(&Config) -> Vec<Vec<String>>,
}

impl fmt::Debug for ConfigParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, parameter, optional, .. } = self;
        f.debug_struct("ConfigParameter")
            .field("key", key)
            .field("parameter", parameter)
            .field("optional", optional)
            .finish_non_exhaustive()
    }
}

/// The code of errors for a configuration that does not have the form that the handler expects.
pub(crate) const INVALID_CONFIG: &str = "INVALID_CONFIG";

/// Reads a value of a configuration, or all of it.
pub(crate) fn read<T: DeserializeOwned>(config: &Config, key: Option<&str>) -> Result<T, StepError> {
    let (value, what) = match key {
        None => (None, "the handler's initialization".to_owned()),
        Some(key) => (
            Some(config.get(key).unwrap_or(&Value::Null)),
            format!("`{key}` of the handler's initialization"),
        ),
    };
    let read = match value {
        None => serde_path_to_error::deserialize(config),
        Some(value) => serde_path_to_error::deserialize(value),
    };
    read.map_err(|error| match value {
        Some(Value::Null) => StepError::permanent(format!("{what} is missing")).with_code(INVALID_CONFIG),
        _ => invalid(&what, key, &error),
    })
}

fn invalid(
    what: &str,
    key: Option<&str>,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> StepError {
    let mut pointer = key.map(|key| format!("/{}", escaped(key))).unwrap_or_default();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", escaped(variant))),
            Segment::Unknown => {}
        }
    }
    let path = match error.path().iter().next() {
        None => String::new(),
        Some(_) => format!("`{}`: ", error.path()),
    };
    StepError::permanent(format!("{what} cannot be read: {path}{}", error.inner()))
        .with_code(INVALID_CONFIG)
        .with_context(serde_json::json!({ "pointer": pointer }))
}

/// A key as a part of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    use serde::Deserialize;
    use serde_ignored::Path;

    use super::{Config, INVALID_CONFIG, read};
    use crate::handler::{StepContext, StepError};

    pub use super::ConfigParameter;

    /// The configuration of the step's handler.
    pub fn configuration(context: &StepContext) -> &Config {
        context.configuration()
    }

    /// Reads a value of the configuration, or all of it.
    pub fn config<T: for<'de> Deserialize<'de>>(config: &Config, key: Option<&str>) -> Result<T, StepError> {
        read(config, key)
    }

    /// Reads all of the configuration, unless there is none.
    pub fn optional_config<T: for<'de> Deserialize<'de>>(config: &Config) -> Result<Option<T>, StepError> {
        if config.is_empty() { Ok(None) } else { read(config, None).map(Some) }
    }

    /// An error of a value that is not valid.
    pub fn refused_config(error: StepError) -> StepError {
        error.with_code(INVALID_CONFIG)
    }

    /// The values of a configuration that `T` does not have.
    pub fn unused_config<T: for<'de> Deserialize<'de>>(config: &Config) -> Vec<Vec<String>> {
        let mut unused = Vec::new();
        let mut add = |path: Path<'_>| unused.push(keys(&path));
        match serde_ignored::deserialize::<_, _, T>(config, &mut add) {
            Ok(_) => unused,
            // That it cannot be read is reported elsewhere.
            Err(_) => Vec::new(),
        }
    }

    fn keys(path: &Path<'_>) -> Vec<String> {
        let (parent, key) = match path {
            Path::Root => return Vec::new(),
            Path::Map { parent, key } => (parent, key.clone()),
            Path::Seq { parent, index } => (parent, index.to_string()),
            Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
                return keys(parent);
            }
        };
        let mut keys = keys(parent);
        keys.push(key);
        keys
    }

    /// The value of one key has no others beside it.
    pub fn nothing_unused(_: &Config) -> Vec<Vec<String>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_to_its_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Limits {
            #[expect(dead_code, reason = "it is only read from JSON")]
            rates: Vec<u8>,
        }
        let config = |json: &str| serde_json::from_str::<Config>(json).unwrap();
        let pointer = |error: &StepError| error.context().unwrap()["pointer"].as_str().unwrap().to_owned();
        let error = read::<Limits>(&config(r#"{"rates": [1, "x"]}"#), None).unwrap_err();
        assert_eq!(pointer(&error), "/rates/1");
        let error = read::<Limits>(&config(r#"{"a/b": {"rates": [1, 300]}}"#), Some("a/b")).unwrap_err();
        assert_eq!(pointer(&error), "/a~1b/rates/1");
        let error = read::<Limits>(&config("{}"), None).unwrap_err();
        assert_eq!(
            (pointer(&error), error.to_string().contains("missing field `rates`")),
            (String::new(), true)
        );
        let error = read::<u8>(&config("{}"), Some("rate")).unwrap_err();
        assert_eq!(error.message(), "`rate` of the handler's initialization is missing");
        assert_eq!(read::<Option<u8>>(&config("{}"), Some("rate")).unwrap(), None);
    }

    #[test]
    fn keys_that_a_type_does_not_have_are_told() {
        #[derive(serde::Deserialize)]
        struct Target {
            #[expect(dead_code, reason = "it is only read from JSON")]
            url: String,
        }
        let config = serde_json::from_str(r#"{"url": "x", "tiemout": 3}"#).unwrap();
        assert_eq!(private::unused_config::<Target>(&config), [["tiemout"]]);
    }
}
