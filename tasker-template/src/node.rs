//! The YAML tree, in which each value has its place in the text; input of [`read`](crate::read).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_yaml::{DuplicateKeyPolicy, Location, Spanned};

use crate::diagnostic::{Code, Diagnostics, Span};
use crate::source::Source;

/// Nesting deeper than this is refused.
const MAX_DEPTH: usize = 64;
/// More values than this in one file are refused; aliases count as often as they are used. A template
/// of 10 000 steps with every setting has 410 000.
const MAX_NODES: usize = 500_000;
/// The number of values that may come from aliases; the end of a list or mapping counts as one. A few lines
/// of aliases of aliases would reach [`MAX_NODES`]; 10 000 steps that share one `retry` do not reach this.
const MAX_ALIASED: usize = 100_000;
/// The text of all values together, in bytes, may be twice as long as the longest file.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// The stack of the parser's thread, in bytes: several times what [`MAX_DEPTH`] needs.
const PARSER_STACK: usize = 16 * 1024 * 1024;

/// A YAML value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// The name of the value's type in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// Reads one YAML document.
    pub(crate) fn parse(source: &Source, text: &str) -> Result<Self, Diagnostics> {
        // The parser recurses, with frames of tens of kilobytes in debug builds; the caller's stack may be
        // too small for that.
        std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(PARSER_STACK);
            let thread = parser.spawn_scoped(scope, || Self::parse_here(source, text));
            let joined = thread.map_err(|error| error.to_string()).and_then(|thread| {
                thread.join().map_err(|_| "the YAML parser panicked; this is a bug of ours".to_owned())
            });
            joined.unwrap_or_else(|message| {
                Err(source.error(Span::default(), Code::Syntax, message, None).into())
            })
        })
    }

    fn parse_here(source: &Source, text: &str) -> Result<Self, Diagnostics> {
        let limits = serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_TEXT,
            // The parser records an anchored value with everything in it, once for each anchor around it.
            max_recorded_anchor_events: MAX_NODES,
            // The number of uses of an alias is not limited: `MAX_ALIASED` limits the resulting values.
            enforce_alias_anchor_ratio: false,
        };
        // Duplicate keys are accepted here, so that all of them are reported, each with both places.
        let options = serde_yaml::options! {
            budget: limits,
            alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_ALIASED },
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            // `065` would be read as the number 65.0; see `number`.
            leading_zero_numbers_as_strings: true,
            with_snippet: false,
        };
        serde_yaml::from_str_with_options(text, options).map_err(|error| {
            let span = error.location().map(span_of).unwrap_or_default();
            Diagnostics::from(source.error(span, Code::Syntax, one_line(&error.to_string()), None))
        })
    }

    /// The value as JSON; keys that are not text are written as text.
    pub(crate) fn to_json(&self, source: &Source) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::String(value) => value.clone().into(),
            Value::List(items) => items.iter().map(|item| item.to_json(source)).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.text(source).unwrap_or_default(), value.to_json(source)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The place of the longest prefix of a JSON pointer that exists.
    pub(crate) fn span_at(&self, pointer: &str, source: &Source) -> Option<Span> {
        self.follow(pointer, source).0
    }

    /// The place of the value at a JSON pointer.
    pub(crate) fn span_of(&self, pointer: &str, source: &Source) -> Option<Span> {
        let (found, is_whole) = self.follow(pointer, source);
        found.filter(|_| is_whole)
    }

    /// The place of the longest prefix of a JSON pointer that exists, and whether that is all of it.
    fn follow(&self, pointer: &str, source: &Source) -> (Option<Span>, bool) {
        let (mut node, mut found) = (self, None);
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let key;
            (key, node) = match &node.value {
                Value::Map(entries) => {
                    let named = |(key, _): &&(Node, Node)| key.text(source).unwrap_or_default() == part;
                    match entries.iter().find(named) {
                        Some((key, value)) => (key.span, value),
                        None => return (found, false),
                    }
                }
                Value::List(items) => match part.parse::<usize>().ok().and_then(|index| items.get(index)) {
                    Some(item) => (item.span, item),
                    None => return (found, false),
                },
                _ => return (found, false),
            };
            // The place of a value that may span lines is that of its key.
            found = Some(if matches!(node.value, Value::List(_) | Value::Map(_)) { key } else { node.span });
        }
        (found, true)
    }

    /// A scalar as it is written: `version: 1.0` is the text `1.0`.
    pub(crate) fn text(&self, source: &Source) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(source.slice(self.span).to_owned()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

fn span_of(location: Location) -> Span {
    let span = location.span();
    let part = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
    Span {
        start: part(span.byte_offset()),
        len: part(span.byte_len()),
        line: part(Some(location.line())),
        column: part(Some(location.column())),
    }
}

/// A message of the YAML library on one line, without the place at its end.
fn one_line(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    message.rsplit_once(" at line ").map_or(message.clone(), |(head, _)| head.to_owned())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        // The place is that of the anchored value, whose text is wrong, and not of the alias.
        Ok(Self { value: spanned.value, span: span_of(spanned.defined) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
