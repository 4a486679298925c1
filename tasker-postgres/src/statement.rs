//! The statement of a batch, composed of the parts that the batch has rows for.

use crate::columns::{Rows, Value};
use crate::sql::Part;

/// Composes a statement.
#[derive(Default)]
pub(crate) struct Composer<'a> {
    /// The bits of the parts: two statements with the same key have the same text.
    pub(crate) key: u32,
    pub(crate) values: Vec<Value<'a>>,
    parts: Vec<Piece>,
    locks: Locks,
    creates: bool,
    claims: bool,
}

enum Piece {
    /// With the number of parameters of the parts before it.
    Part(Part, usize),
    /// The tasks that are written: those that are locked, and those that are created.
    Written,
}

/// How many tasks the statement locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locks {
    #[default]
    None,
    One,
    Many,
}

impl<'a> Composer<'a> {
    /// Adds a part with its parameters.
    pub(crate) fn part(&mut self, part: Part, values: Vec<Value<'a>>) {
        self.key |= part.bit;
        self.parts.push(Piece::Part(part, self.values.len()));
        self.values.extend(values);
    }

    /// Adds the part that writes these rows, if there are any.
    pub(crate) fn rows(&mut self, rows: &'a impl Rows, part: Part) {
        if !rows.is_empty() {
            self.part(part, rows.arrays());
        }
    }

    /// Adds the part that writes these rows; a single row has a part without arrays, which the server
    /// executes in half the time.
    pub(crate) fn rows_or_one(&mut self, rows: &'a impl Rows, many: Part, one: Part) {
        match rows.len() {
            1 => self.part(one, rows.first()),
            _ => self.rows(rows, many),
        }
    }

    /// Ends the parts that lock and create tasks; those that follow may refer to the tasks `written`.
    pub(crate) fn written(&mut self, locks: Locks, creates: bool) {
        (self.locks, self.creates) = (locks, creates);
        if locks != Locks::None || creates {
            self.parts.push(Piece::Written);
        }
    }

    /// Adds the part that claims steps from the queue.
    pub(crate) fn claim(&mut self, part: Part, values: Vec<Value<'a>>) {
        self.claims = true;
        self.part(part, values);
    }

    /// The statement's text, for a schema's quoted name.
    pub(crate) fn text(&self, schema: &str) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|piece| match piece {
                Piece::Part(part, before) => part.text(*before),
                Piece::Written => self.written_tasks().to_owned(),
            })
            .collect();
        let parts = parts.join(",\n").replace("{unwritten}", self.unwritten()).replace("{schema}", schema);
        format!("WITH {parts}\n{}", self.answer())
    }

    fn written_tasks(&self) -> &'static str {
        match (self.locks, self.creates) {
            (Locks::None, _) => "written AS (SELECT id FROM created)",
            (_, true) => "written AS (SELECT id FROM locked UNION ALL SELECT id FROM created)",
            (_, false) => "written AS (SELECT id FROM locked)",
        }
    }

    /// Whether a task has another epoch than the one that we know, so that it is not written.
    fn unwritten(&self) -> &'static str {
        match self.locks {
            Locks::None => "false",
            Locks::One => "NOT EXISTS (SELECT FROM locked)",
            // The ids are the first parameter.
            Locks::Many => "(SELECT count(*) FROM locked) < cardinality($1::uuid[])",
        }
    }

    /// What the statement answers: the ids of the tasks written; and where it claims, those as rows without
    /// a step, then the claims, and a row with step -1 for each further step that is ready.
    fn answer(&self) -> String {
        let mut answers = Vec::new();
        if self.locks != Locks::None || self.creates {
            answers.push(match self.claims {
                true => include_str!("../sql/batch/answer_written_typed.sql"),
                false => include_str!("../sql/batch/answer_written.sql"),
            });
        }
        if self.claims {
            answers.push(include_str!("../sql/batch/answer_claims.sql"));
        }
        answers.join("UNION ALL\n")
    }
}
