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
fn without_comments(file: &str) -> String {
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

pub(crate) const LOCK: Part = Part::new(0, file!("lock"), LockRows::COLUMNS);
pub(crate) const LOCK_ONE: Part = Part::new(1, file!("lock_one"), LockRows::COLUMNS);
pub(crate) const UPDATE: Part = Part::new(2, file!("update"), TaskUpdateRows::COLUMNS);
pub(crate) const UPDATE_ONE: Part = Part::new(3, file!("update_one"), TaskUpdateRows::COLUMNS);
pub(crate) const IDENTIFY: Part = Part::new(4, file!("identify"), IdentityRows::COLUMNS);
pub(crate) const CREATE: Part = Part::new(5, file!("create"), TaskRows::COLUMNS);
pub(crate) const CREATE_ONE: Part = Part::new(6, file!("create_one"), TaskRows::COLUMNS);
pub(crate) const CREATE_UNIQUE: Part = Part::new(7, file!("create_unique"), TaskRows::COLUMNS);
pub(crate) const TAG: Part = Part::new(8, file!("tag"), TagRows::COLUMNS);
pub(crate) const END: Part = Part::new(9, file!("end"), AttemptRows::COLUMNS);
pub(crate) const END_ONE: Part = Part::new(10, file!("end_one"), AttemptRows::COLUMNS);
pub(crate) const DELETE_STEP: Part = Part::new(11, file!("delete_step"), StepKeyRows::COLUMNS);
pub(crate) const UPSERT_STEP: Part = Part::new(12, file!("upsert_step"), StepRows::COLUMNS);
pub(crate) const ACT: Part = Part::new(13, file!("act"), ActionRows::COLUMNS);

/// Claims from the queue; in both forms what is ready is found first, and the best of it is taken.
pub(crate) const CLAIM: Part = Part::new(14, concat!(file!("ready"), ",\n", file!("claim")), &[]);
pub(crate) const CLAIM_SERVED: Part =
    Part::new(15, concat!(file!("ready_served"), ",\n", file!("claim")), &[]);

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 16] = [
        LOCK,
        LOCK_ONE,
        UPDATE,
        UPDATE_ONE,
        IDENTIFY,
        CREATE,
        CREATE_ONE,
        CREATE_UNIQUE,
        TAG,
        END,
        END_ONE,
        DELETE_STEP,
        UPSERT_STEP,
        ACT,
        CLAIM,
        CLAIM_SERVED,
    ];

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(renumbered("a $1, $2::x, $10", 7), "a $8, $9::x, $17");
    }

    #[test]
    fn no_two_parts_share_a_bit() {
        let bits = PARTS.iter().fold(0, |bits, part| bits | part.bit);
        assert_eq!(bits.count_ones() as usize, PARTS.len());
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
