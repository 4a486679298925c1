//! A statement of the application's own that is committed with the result of a step.

/// A statement with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlWrite {
    /// The statement.
    pub sql: String,
    /// Its values, the first for `$1`.
    pub values: Vec<SqlValue>,
}

/// A value of a statement. PostgreSQL converts a text to the type that the statement expects there: a number,
/// a time, an id, JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// SQL's `NULL`.
    Null,
    /// A truth value; 0 or 1 in SQLite.
    Bool(bool),
    /// A whole number of 64 bits.
    Integer(i64),
    /// A floating-point number of 64 bits.
    Real(f64),
    /// A text.
    Text(String),
    /// A sequence of bytes: `BYTEA` in PostgreSQL, a blob in SQLite.
    Bytes(Vec<u8>),
}

impl SqlWrite {
    /// Whether the statement controls transactions (`COMMIT`, `SAVEPOINT` and the like). Such a statement is
    /// refused.
    pub fn controls_transaction(&self) -> bool {
        const WORDS: [&str; 9] =
            ["abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start"];
        let word: String = self.sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        WORDS.contains(&word.to_ascii_lowercase().as_str())
    }
}

macro_rules! from {
    ($($kind:ty => |$value:ident| $make:expr;)*) => {
        $(
            impl From<$kind> for SqlValue {
                fn from($value: $kind) -> Self {
                    $make
                }
            }
        )*
    };
}

from! {
    bool => |value| Self::Bool(value);
    i16 => |value| Self::Integer(value.into());
    i32 => |value| Self::Integer(value.into());
    i64 => |value| Self::Integer(value);
    u16 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    f64 => |value| Self::Real(value);
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    Vec<u8> => |value| Self::Bytes(value);
    uuid::Uuid => |value| Self::Text(value.to_string());
    jiff::Timestamp => |value| Self::Text(value.to_string());
    serde_json::Value => |value| Self::Text(value.to_string());
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_transaction_is_recognized() {
        let write = |sql: &str| SqlWrite { sql: sql.to_owned(), values: Vec::new() };
        assert!(write("  Commit;").controls_transaction());
        assert!(write("ROLLBACK TO x").controls_transaction());
        assert!(!write("INSERT INTO commits VALUES (1)").controls_transaction());
    }
}
