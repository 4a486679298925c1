//! The texts of the statements, from the files in `sql/`.
//!
//! A whole statement is one file, whose text [`statement!`] fills in. The statement of a batch is composed of
//! parts: each is a file in `sql/batch/`, a common table expression that numbers its parameters from `$1`.
//!
//! In the files `{schema}` is the quoted name of the schema, and `{is_alive}` whether a row of `worker` is
//! that of a worker whose lease has not run out. Where a statement writes declared rows
//! ([`columns`](crate::columns)), their columns stand in these places:
//!
//! - `{columns}`: their names;
//! - `{arrays}`: a parameter for each, an array with the values of all rows;
//! - `{given}`: what is selected from those arrays, cast to the columns' types;
//! - `{values}`: a parameter for each, with the value of a single row, cast to the columns' types;
//! - `{updates}`: the assignments of an upsert;
//! - `{next}`: the parameter that follows them.

use crate::columns::{Column, Rows};
use crate::rows::{
    ActionRows, AttemptRows, IdentityRows, LockRows, StepKeyRows, StepRows, TagRows, TaskRows, TaskUpdateRows,
};

/// A worker is alive for as long as its last heartbeat is younger than its lease.
const IS_ALIVE: &str = "worker.beat_at >= clock_timestamp() - worker.lease";

/// The text of a statement, for a schema's quoted name.
pub(crate) fn filled(file: &str, schema: &str) -> String {
    without_comments(file).replace("{is_alive}", IS_ALIVE).replace("{schema}", schema)
}

/// The text of the statement in `sql/NAME.sql`, for a schema's quoted name.
macro_rules! statement {
    ($name:literal, $schema:expr) => {
        $crate::sql::filled(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql")),
            $schema,
        )
    };
}

pub(crate) use statement;

/// The comments are for those who read the files.
pub(crate) fn without_comments(file: &str) -> String {
    let lines: Vec<&str> = file.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    lines.join("\n")
}

/// A part of the statement of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// One bit, which no other part has.
    pub(crate) bit: u32,
    sql: &'static str,
    columns: &'static [Column],
}

impl Part {
    const fn new(bit: u32, sql: &'static str, columns: &'static [Column]) -> Self {
        Self { bit: 1 << bit, sql, columns }
    }

    /// The part's text, with its parameters numbered after the `before` parameters of earlier parts.
    pub(crate) fn text(&self, before: usize) -> String {
        let text = with_columns(&without_comments(self.sql), self.columns);
        renumbered(&text, before)
    }
}

/// A text with the lists of these columns in their places.
pub(crate) fn with_columns(text: &str, columns: &[Column]) -> String {
    let list = |one: &dyn Fn(usize, &Column) -> String| {
        (1..).zip(columns).map(|(number, column)| one(number, column)).collect::<Vec<_>>().join(", ")
    };
    let updated = columns.iter().filter(|column| column.is_updated);
    let updates: Vec<String> =
        updated.map(|Column { name, .. }| format!("{name} = excluded.{name}")).collect();
    text.replace("{columns}", &list(&|_, column| column.name.to_owned()))
        .replace("{arrays}", &list(&|number, column| format!("${number}::{}[]", column.parameter)))
        .replace("{given}", &list(&|_, column| format!("given.{}{}", column.name, column.cast())))
        .replace("{values}", &list(&|number, column| format!("${number}{}", column.cast())))
        .replace("{updates}", &updates.join(", "))
        .replace("{next}", &format!("${}", columns.len() + 1))
}

/// A text whose parameters are numbered after `before` others.
fn renumbered(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (digits, rest) = piece.split_at(digits);
        text.push_str(&format!("${}{rest}", digits.parse::<usize>().unwrap_or_default() + before));
    }
    text
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../sql/batch/", $name, ".sql"))
    };
}

/// Declares the parts. Each has the bit of its place in the list.
macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $sql:expr, $columns:expr;)*) => {
        #[repr(u32)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the constants")]
        enum Bit { $($name),* }
        $($(#[$doc])* pub(crate) const $name: Part = Part::new(Bit::$name as u32, $sql, $columns);)*

        #[cfg(test)]
        const PARTS: &[Part] = &[$($name),*];
    };
}

parts! {
    LOCK = file!("lock"), LockRows::COLUMNS;
    LOCK_ONE = file!("lock_one"), LockRows::COLUMNS;
    UPDATE = file!("update"), TaskUpdateRows::COLUMNS;
    UPDATE_ONE = file!("update_one"), TaskUpdateRows::COLUMNS;
    IDENTIFY = file!("identify"), IdentityRows::COLUMNS;
    CREATE = file!("create"), TaskRows::COLUMNS;
    CREATE_ONE = file!("create_one"), TaskRows::COLUMNS;
    CREATE_UNIQUE = file!("create_unique"), TaskRows::COLUMNS;
    TAG = file!("tag"), TagRows::COLUMNS;
    END = file!("end"), AttemptRows::COLUMNS;
    END_ONE = file!("end_one"), AttemptRows::COLUMNS;
    DELETE_STEP = file!("delete_step"), StepKeyRows::COLUMNS;
    UPSERT_STEP = file!("upsert_step"), StepRows::COLUMNS;
    ACT = file!("act"), ActionRows::COLUMNS;
    /// Claims from the queue; in both forms what is ready is found first, and the best of it is taken.
    CLAIM = concat!(file!("ready"), ",\n", file!("claim")), &[];
    /// As `CLAIM`, for a worker of some namespaces.
    CLAIM_SERVED = concat!(file!("ready_served"), ",\n", file!("claim")), &[];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(renumbered("a $1, $2::x, $10", 7), "a $8, $9::x, $17");
    }

    #[test]
    fn a_part_has_the_columns_of_its_rows() {
        let ended = END_ONE.text(2);
        assert!(ended.contains("(task_id, step, instance, attempt,"), "{ended}");
        assert!(ended.contains("$11::int4[], $12::json, $13::json"), "{ended}");
        let step = UPSERT_STEP.text(0);
        assert!(step.contains("unnest($1::uuid[], $2::int4[]"), "{step}");
        assert!(step.contains("SET state = excluded.state,"), "{step}");
        assert!(!step.contains("input = excluded.input"), "{step}");
        for part in PARTS {
            let text = part.text(0).replace("{schema}", "").replace("{unwritten}", "");
            assert!(!text.contains(['{', '}']) && !text.contains("--"), "{text}");
        }
    }
}
