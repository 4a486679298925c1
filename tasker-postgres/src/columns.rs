//! Declares the columns that a statement writes to a table, once each. From the declaration follow the
//! struct of one row, the struct of arrays that collects rows, the parameters of the statement, and the
//! lists of columns, casts and assignments in its text.

use tokio_postgres::types::{ToSql, Type};

use crate::values::Time;

/// A parameter of a statement, with its SQL type.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// A column of a declared row.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The SQL type of the parameter that carries one value.
    pub(crate) parameter: Type,
    /// The column's own SQL type. Where it is not the parameter's, the statement casts.
    pub(crate) sql_type: &'static str,
    /// Whether an upsert overwrites the column of a row that exists.
    pub(crate) is_updated: bool,
}

impl Column {
    /// The cast from the parameter to the column: `::json`, or nothing where the types are the same.
    pub(crate) fn cast(&self) -> String {
        if self.parameter.name() == self.sql_type { String::new() } else { format!("::{}", self.sql_type) }
    }
}

/// A Rust type whose values are parameters.
pub(crate) trait Parameter {
    /// The SQL type of one value.
    const ONE: Type;
    /// The SQL type of an array of values.
    const MANY: Type;

    /// The value as a literal in a statement without parameters.
    fn literal(&self) -> String;
}

/// Rows of one table that are written together, by column.
pub(crate) trait Rows: Default {
    type Row;
    const COLUMNS: &'static [Column];

    fn push(&mut self, row: Self::Row);

    fn len(&self) -> usize;

    /// A parameter for each column, with the values of all rows.
    fn arrays(&self) -> Vec<Value<'_>>;

    /// A parameter for each column, with the value of the first row. There must be one.
    fn first(&self) -> Vec<Value<'_>>;

    /// Each row as a list of literals with their columns' types, for a statement without parameters.
    fn literals(&self) -> Vec<String>;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a declaration may say of a column.
#[derive(Debug)]
pub(crate) enum Mark {
    /// It is written with a new row; the upsert of a row that exists leaves it as it is.
    Once,
}

/// Declares a row and its struct of arrays: `rows! { Row in Rows { column: RustType => "sql type"; … } }`.
/// A [`Mark`] may follow the SQL type.
macro_rules! rows {
    (
        $(#[$doc:meta])*
        $row:ident in $rows:ident {
            $($(#[$note:meta])* $column:ident: $kind:ty => $sql:literal $(, $mark:ident)?;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $row {
            $($(#[$note])* pub(crate) $column: $kind,)+
        }

        #[derive(Debug, Default)]
        pub(crate) struct $rows {
            $(pub(crate) $column: Vec<$kind>,)+
        }

        impl $crate::columns::Rows for $rows {
            type Row = $row;
            const COLUMNS: &'static [$crate::columns::Column] = &[$($crate::columns::Column {
                name: stringify!($column),
                parameter: <$kind as $crate::columns::Parameter>::ONE,
                sql_type: $sql,
                is_updated: {
                    const MARKS: &[$crate::columns::Mark] = &[$($crate::columns::Mark::$mark)?];
                    MARKS.is_empty()
                },
            }),+];

            fn push(&mut self, row: $row) {
                $(self.$column.push(row.$column);)+
            }

            fn len(&self) -> usize {
                [$(self.$column.len()),+][0]
            }

            fn arrays(&self) -> Vec<$crate::columns::Value<'_>> {
                vec![$((&self.$column as _, <$kind as $crate::columns::Parameter>::MANY)),+]
            }

            fn first(&self) -> Vec<$crate::columns::Value<'_>> {
                vec![$((&self.$column[0] as _, <$kind as $crate::columns::Parameter>::ONE)),+]
            }

            fn literals(&self) -> Vec<String> {
                let row = |index: usize| {
                    [$(format!("{}::{}", $crate::columns::Parameter::literal(&self.$column[index]), $sql)),+]
                };
                (0..self.len()).map(|index| row(index).join(", ")).collect()
            }
        }
    };
}

pub(crate) use rows;

/// A text as a literal.
pub(crate) fn text_literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

macro_rules! parameters {
    ($($kind:ty: $one:ident, $many:ident, $text:expr;)+) => {
        $(impl Parameter for $kind {
            const ONE: Type = Type::$one;
            const MANY: Type = Type::$many;

            fn literal(&self) -> String {
                let text: fn(&Self) -> String = $text;
                text_literal(&text(self))
            }
        })+
    };
}

parameters! {
    bool: BOOL, BOOL_ARRAY, ToString::to_string;
    i32: INT4, INT4_ARRAY, ToString::to_string;
    i64: INT8, INT8_ARRAY, ToString::to_string;
    uuid::Uuid: UUID, UUID_ARRAY, ToString::to_string;
    String: TEXT, TEXT_ARRAY, Clone::clone;
    &'static str: TEXT, TEXT_ARRAY, |text| (*text).to_owned();
    Time: TIMESTAMPTZ, TIMESTAMPTZ_ARRAY, |time| time.0.to_string();
    Vec<u8>: BYTEA, BYTEA_ARRAY, |bytes| hex(bytes);
}

impl<T: Parameter> Parameter for Option<T> {
    const ONE: Type = T::ONE;
    const MANY: Type = T::MANY;

    fn literal(&self) -> String {
        self.as_ref().map_or_else(|| "NULL".to_owned(), T::literal)
    }
}

/// Bytes in the text form of `bytea`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    rows! {
        Sample in Samples {
            id: i32 => "int4", Once;
            note: Option<String> => "json";
        }
    }

    #[test]
    fn a_text_stays_one() {
        assert_eq!(text_literal(r"it's \ a'); DROP"), r"E'it''s \\ a''); DROP'");
    }

    #[test]
    fn a_declaration_says_how_a_row_is_written() {
        let mut samples = Samples::default();
        assert!(samples.is_empty());
        samples.push(Sample { id: 7, note: None });
        samples.push(Sample { id: 8, note: Some("\"it's\"".to_owned()) });
        assert_eq!(samples.len(), 2);
        assert_eq!(samples.literals(), ["E'7'::int4, NULL::json", "E'8'::int4, E'\"it''s\"'::json"]);
        let types = |values: Vec<Value<'_>>| values.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>();
        assert_eq!(types(samples.arrays()), [Type::INT4_ARRAY, Type::TEXT_ARRAY]);
        assert_eq!(types(samples.first()), [Type::INT4, Type::TEXT]);
        let [id, note] = Samples::COLUMNS else { panic!("two columns") };
        assert_eq!((id.cast().as_str(), note.cast().as_str()), ("", "::json"));
        assert!(!id.is_updated && note.is_updated);
    }
}
