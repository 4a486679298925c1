//! The types that a schema allows, as a set.

use std::fmt;

use serde_json::{Map, Value};

use crate::contract::schema::document::Draft;

/// A set of the types of JSON; whole numbers and others are apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const OBJECT: Self = Self(4);
    pub(super) const ARRAY: Self = Self(8);
    pub(super) const STRING: Self = Self(16);
    pub(super) const NUMBER: Self = Self(32 | 64);
    const NULL: Self = Self(1);
    const INTEGER: Self = Self(32);
    const FRACTION: Self = Self(64);
    const NONE: Self = Self(0);
    const ALL: Self = Self(127);

    const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::BOOLEAN),
        ("object", Self::OBJECT),
        ("array", Self::ARRAY),
        ("string", Self::STRING),
        ("number", Self::NUMBER),
        ("integer", Self::INTEGER),
    ];

    /// The types that `type` allows; `None` when it has an unknown name.
    pub(super) fn of(schema: &Map<String, Value>) -> Option<Self> {
        let named = |name: &Value| {
            let found = Self::NAMES.iter().find(|(known, _)| name.as_str() == Some(*known));
            found.map(|(_, types)| *types)
        };
        match schema.get("type") {
            None => Some(Self::ALL),
            Some(Value::Array(names)) => {
                names.iter().try_fold(Self::NONE, |all, name| Some(Self(all.0 | named(name)?.0)))
            }
            Some(name) => named(name),
        }
    }

    /// The types of these values.
    pub(super) fn of_values<'v>(values: impl IntoIterator<Item = &'v Value>, draft: Draft) -> Self {
        values.into_iter().fold(Self::NONE, |all, value| Self(all.0 | Self::of_value(value, draft).0))
    }

    fn of_value(value: &Value, draft: Draft) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Object(_) => Self::OBJECT,
            Value::Array(_) => Self::ARRAY,
            Value::String(_) => Self::STRING,
            Value::Number(number) if number.is_i64() || number.is_u64() => Self::INTEGER,
            // `1.0` is a whole number since draft 6.
            Value::Number(number) => match number.as_f64() {
                Some(float) if draft > Draft::Four && float.fract() == 0.0 && float.abs() < 1e15 => {
                    Self::INTEGER
                }
                _ => Self::FRACTION,
            },
        }
    }

    pub(super) fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether it has any of these types.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("any");
        }
        let mut rest = *self;
        let mut names = Vec::new();
        for (name, types) in Self::NAMES {
            if types.is_within(rest) {
                names.push(name);
                rest = Self(rest.0 & !types.0);
            }
        }
        if rest.has(Self::FRACTION) {
            names.push("fraction");
        }
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(" or "))
    }
}
