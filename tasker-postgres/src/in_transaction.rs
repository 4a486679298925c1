//! Creates a task in a transaction of the caller's: the task exists if that transaction commits.

use async_trait::async_trait;
use tasker_store::progress::{RunProgress, rank};
use tasker_store::{BoxError, NewTaskRecord, StepState};

use crate::columns::{Rows, text_literal};
use crate::rows::{IdentityRow, IdentityRows, StepRow, StepRows, TagRow, TagRows, TaskRow, TaskRows};
use crate::sql::{filled, with_columns};
use crate::values::Result;

/// Runs a statement in a transaction of the caller's. It is implemented for tokio-postgres; for another
/// client it is a few lines. For sqlx 0.8, with the crate `async-trait`:
///
/// ```text
#[doc = include_str!("../docs/sqlx.rs")]
/// ```
///
/// Then `tasker.create_task_in(&mut InSqlx(&mut transaction), task)` creates a task that is there once
/// `transaction.commit()` has succeeded.
#[async_trait]
pub trait Executor: Send {
    /// Runs one statement, which has no parameters, and returns how many rows it has inserted.
    ///
    /// # Errors
    ///
    /// When the statement fails, the client's error.
    async fn execute(&mut self, sql: &str) -> std::result::Result<u64, BoxError>;
}

#[async_trait]
impl Executor for tokio_postgres::Transaction<'_> {
    async fn execute(&mut self, sql: &str) -> std::result::Result<u64, BoxError> {
        Ok(self.execute_typed(sql, &[]).await?)
    }
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../sql/in_transaction/", $name, ".sql"))
    };
}

/// The statement that creates a task and puts its first steps into the queue. It has no parameters. It
/// inserts as many rows as there are such steps, or none when there is a task of the same identity.
pub(crate) fn create_task_sql(schema: &str, channel: &str, task: &NewTaskRecord) -> Result<String> {
    let mut parts = Vec::new();
    let mut tasks = TaskRows::default();
    tasks.push(TaskRow::new(task, &[], None)?);
    match task.identity {
        None => parts.push(part(file!("create"), schema, &tasks)),
        Some(identity) => {
            let mut identities = IdentityRows::default();
            identities.push(IdentityRow { hash: Some(identity.to_vec()), task_id: task.id.0 });
            parts.push(part(file!("identify"), schema, &identities));
            parts.push(part(file!("create_unique"), schema, &tasks));
        }
    }
    if !task.origin.tags.is_empty() {
        let mut tags = TagRows::default();
        for tag in &task.origin.tags {
            tags.push(TagRow { tag: tag.clone(), task_id: task.id.0 });
        }
        parts.push(part(file!("tag"), schema, &tags));
    }
    let mut steps = StepRows::default();
    for root in task.graph.roots() {
        let mut run = RunProgress::stored(StepState::Ready, 0, 0);
        run.due_at = task.run_at;
        run.rank = Some(rank(task.run_at.unwrap_or(task.created_at), task.priority));
        steps.push(StepRow::new(task.id, task.template, (*root).into(), &run));
    }
    let file = file!("queue_steps").replace("{channel}", &text_literal(channel));
    let steps = part(&file, schema, &steps);
    Ok(format!("WITH {}\n{steps}", parts.join(",\n")))
}

/// A part with rows in the place of `{rows}`, each in parentheses. They come last: what stands in them is
/// the caller's own text.
fn part<R: Rows>(file: &str, schema: &str, rows: &R) -> String {
    let rows: Vec<String> = rows.literals().iter().map(|row| format!("({row})")).collect();
    with_columns(&filled(file, schema), R::COLUMNS).replace("{rows}", &rows.join(", "))
}
