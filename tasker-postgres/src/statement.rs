//! The statement of a batch, put together from the parts that it has rows for.

use tokio_postgres::types::{ToSql, Type};

use crate::parts::Part;

/// A value, and its type in SQL.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// Puts the parts together.
#[derive(Default)]
pub(crate) struct Builder<'a> {
    /// Which parts there are: two statements with the same are the same.
    pub(crate) key: u32,
    parts: Vec<(&'static str, usize)>,
    pub(crate) values: Vec<Value<'a>>,
    locks: bool,
    /// Of a single task.
    pub(crate) one_lock: bool,
    creates: bool,
    pub(crate) claims: bool,
}

impl<'a> Builder<'a> {
    pub(crate) fn part(&mut self, part: Part, values: Vec<Value<'a>>) {
        self.key |= part.bit;
        self.parts.push((part.sql, self.values.len()));
        self.values.extend(values);
    }

    pub(crate) fn good(&mut self, locks: bool, creates: bool) {
        (self.locks, self.creates) = (locks, creates);
        let good = match (locks, creates) {
            (true, true) => "good AS (SELECT id FROM ours UNION ALL SELECT id FROM created)",
            (true, false) => "good AS (SELECT id FROM ours)",
            (false, true) => "good AS (SELECT id FROM created)",
            (false, false) => return,
        };
        self.parts.push((good, self.values.len()));
    }

    pub(crate) fn sql(&self, schema: &str) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(sql, before)| renumbered(sql, *before)).collect();
        let mut answers = Vec::new();
        if self.locks || self.creates {
            answers.push(if self.claims {
                "SELECT id, NULL::int4, NULL::uuid, NULL::int4, NULL::int4, NULL::int8 FROM good"
            } else {
                "SELECT id FROM good"
            });
        }
        if self.claims {
            answers
                .push("SELECT task_id, step, template_id, attempts, attempts_before_reset, rank FROM taken");
            // A row that is no claim: there is more.
            answers.push(
                "SELECT task_id, -1, NULL, 0, 0, rank
                FROM (SELECT * FROM ready EXCEPT SELECT * FROM chosen) AS left_over",
            );
        }
        let others = if self.one_lock {
            "NOT EXISTS (SELECT FROM ours)"
        } else if self.locks {
            // The ids are the first value.
            "(SELECT count(*) FROM ours) < cardinality($1::uuid[])"
        } else {
            "false"
        };
        let parts = parts.join(",\n    ").replace("{schema}", schema).replace("{others}", others);
        format!("WITH {parts}\n{}", answers.join("\nUNION ALL\n"))
    }
}

/// The part's values come after those of the parts before it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_through() {
        assert_eq!(renumbered("a $1, $2::x, $10", 7), "a $8, $9::x, $17");
    }
}
