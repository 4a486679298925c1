//! Builds the schema of one value of a template, keyword by keyword.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

/// Characters that make a text more than blanks, without a line break or another control character.
const NOT_EMPTY: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f]\
                         [^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// The JSON schema of one value.
#[derive(Clone, Debug)]
pub(super) struct Shape(Map<String, Value>);

impl Shape {
    /// Any value at all.
    pub(super) fn any() -> Self {
        Self(Map::new())
    }

    /// Any text. Plain scalars are text where text is wanted: `version: 1.0`.
    pub(super) fn text() -> Self {
        Self::any().with("type", json!(["string", "number", "boolean"]))
    }

    /// Text of one line, with 1 to `longest` characters.
    pub(super) fn line(longest: usize) -> Self {
        Self::text()
            .with("maxLength", json!(longest))
            .with("pattern", json!(NOT_EMPTY))
            .with("patternErrorMessage", json!("must be one line of text, and not empty"))
    }

    /// A whole number in this range.
    pub(super) fn integer(range: RangeInclusive<u32>) -> Self {
        Self::any()
            .with("type", json!("integer"))
            .with("minimum", json!(range.start()))
            .with("maximum", json!(range.end()))
    }

    /// A number of seconds from 0 to `most`, fractions allowed.
    pub(super) fn seconds(most: u32) -> Self {
        Self::any().with("type", json!("number")).with("minimum", json!(0)).with("maximum", json!(most))
    }

    /// True or false.
    pub(super) fn flag() -> Self {
        Self::any().with("type", json!("boolean"))
    }

    /// One of these words, which a reader knows with what they mean.
    pub(super) fn word<T>(words: &[(&'static str, T)]) -> Self {
        Self::any().with("enum", words.iter().map(|(word, _)| *word).collect())
    }

    /// A list of such values.
    pub(super) fn list(items: Self) -> Self {
        Self::any().with("type", json!("array")).with("items", items.into())
    }

    /// A mapping of names that the author chooses to such values.
    pub(super) fn map(values: Self) -> Self {
        Self::any().with("type", json!("object")).with("additionalProperties", values.into())
    }

    /// A mapping that has the keys which are added, and no others.
    pub(super) fn mapping() -> Self {
        Self::any()
            .with("type", json!("object"))
            .with("properties", json!({}))
            .with("additionalProperties", json!(false))
    }

    /// The definition of this name.
    pub(super) fn defined(name: &str) -> Self {
        Self::any().with("$ref", json!(format!("#/definitions/{name}")))
    }

    /// What an editor shows of it.
    pub(super) fn about(self, description: &str) -> Self {
        self.with("description", json!(description))
    }

    /// What holds when it is left out.
    pub(super) fn default(self, value: Value) -> Self {
        self.with("default", value)
    }

    /// A value that it could have.
    pub(super) fn example(mut self, value: Value) -> Self {
        self.list_of("examples").push(value);
        self
    }

    /// The same with another keyword.
    pub(super) fn with(mut self, keyword: &str, value: Value) -> Self {
        self.0.insert(keyword.to_owned(), value);
        self
    }

    /// A mapping that may have this key, with a value or empty.
    pub(super) fn key(mut self, name: &str, value: Self) -> Self {
        self.properties().insert(name.to_owned(), value.or_empty().into());
        self
    }

    /// A mapping that must have this key.
    pub(super) fn required(mut self, name: &str, value: Self) -> Self {
        self.properties().insert(name.to_owned(), value.into());
        self.list_of("required").push(json!(name));
        self
    }

    /// A mapping that may have this key, which changes nothing.
    pub(super) fn without_effect(mut self, name: &str, why: &str) -> Self {
        let shape = Self::any().about(why).with("deprecationMessage", json!(why));
        self.properties().insert(name.to_owned(), shape.into());
        self
    }

    /// A mapping in which two keys mean the same: only one of them may have a value.
    pub(super) fn not_both(self, one: &str, other: &str) -> Self {
        let message = format!("`{other}` means the same as `{one}`: remove one");
        self.rule(json!({
            "if": {"required": [one], "properties": {one: {"not": {"type": "null"}}}},
            "then": {"properties": {other: {"type": "null", "errorMessage": message}}},
        }))
    }

    /// The same with a further rule.
    pub(super) fn rule(mut self, rule: Value) -> Self {
        self.list_of("allOf").push(rule);
        self
    }

    /// The same, or nothing: a key without a value is as good as none.
    pub(super) fn or_empty(mut self) -> Self {
        if let Some(words) = self.0.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        } else if let Some(types) = self.0.get_mut("type") {
            let more = match types.take() {
                Value::Array(mut more) => {
                    more.push(json!("null"));
                    more
                }
                only => vec![only, json!("null")],
            };
            *types = Value::Array(more);
        } else if let Some(definition) = self.0.remove("$ref") {
            return self.with("anyOf", json!([{"$ref": definition}, {"type": "null"}]));
        }
        self
    }

    fn properties(&mut self) -> &mut Map<String, Value> {
        let properties = self.0.entry("properties").or_insert_with(|| json!({}));
        properties.as_object_mut().expect("the properties of a mapping are a map")
    }

    fn list_of(&mut self, keyword: &str) -> &mut Vec<Value> {
        let list = self.0.entry(keyword).or_insert_with(|| json!([]));
        list.as_array_mut().expect("this keyword has a list")
    }
}

impl From<Shape> for Value {
    fn from(shape: Shape) -> Self {
        Self::Object(shape.0)
    }
}
