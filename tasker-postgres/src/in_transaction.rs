//! A task that is created in a transaction of the caller's: it is there when the caller's own data is,
//! and not otherwise.

use async_trait::async_trait;
use tasker_store::progress::rank;
use tasker_store::{BoxError, NewTaskRecord, Origin};

use crate::values::{Result, array, unreadable};

/// Runs a statement in a transaction of the caller's. It is here for tokio-postgres; for another client
/// it is a few lines:
///
/// ```
/// use tasker::{error::BoxError, store::Executor};
///
/// # struct Connection;
/// # impl Connection { async fn run(&mut self, _: &str) -> Result<u64, std::fmt::Error> { Ok(1) } }
/// /// With sqlx: a `sqlx::Transaction`, and `sqlx::raw_sql(sql).execute(&mut *self.0)`.
/// struct Mine<'a>(&'a mut Connection);
///
/// #[async_trait::async_trait]
/// impl Executor for Mine<'_> {
///     async fn execute(&mut self, sql: &str) -> Result<u64, BoxError> {
///         Ok(self.0.run(sql).await?)
///     }
/// }
/// ```
#[async_trait]
pub trait Executor: Send {
    /// Runs one statement, which has no parameters: how many rows it has inserted.
    ///
    /// # Errors
    ///
    /// What the client says.
    async fn execute(&mut self, sql: &str) -> std::result::Result<u64, BoxError>;
}

#[async_trait]
impl Executor for tokio_postgres::Transaction<'_> {
    async fn execute(&mut self, sql: &str) -> std::result::Result<u64, BoxError> {
        Ok(self.execute_typed(sql, &[]).await?)
    }
}

/// The statement that creates a task and puts its first steps into the queue; it inserts as many rows as
/// there are such steps, or none when there is a task of the same identity.
pub(crate) fn statement(schema: &str, channel: &str, task: &NewTaskRecord) -> Result<String> {
    let id = format!("'{}'::uuid", task.id);
    let mut parts = Vec::new();
    let mut condition = "";
    if let Some(identity) = &task.identity {
        let hash: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
        parts.push(format!(
            "named AS (
                INSERT INTO {schema}.identity (hash, task_id) VALUES ('\\x{hash}'::bytea, {id})
                ON CONFLICT DO NOTHING
                RETURNING task_id
            )"
        ));
        condition = "WHERE EXISTS (SELECT FROM named)";
    }
    let origin = if task.origin == Origin::default() {
        "NULL".to_owned()
    } else {
        let text = serde_json::to_string(&task.origin).map_err(|error| unreadable("origin", error))?;
        format!("{}::json", literal(&text))
    };
    parts.push(format!(
        "created AS (
            INSERT INTO {schema}.task
                (id, template_id, state, priority, correlation_id, created_at, context, origin)
            SELECT {id}, '{}'::uuid, 'in_progress', {}, '{}'::uuid, '{}'::timestamptz, {}::json, {origin}
            {condition}
            RETURNING id, template_id
        )",
        task.template,
        task.priority,
        task.correlation_id,
        task.created_at,
        literal(task.context.get()),
    ));
    if !task.origin.tags.is_empty() {
        let tags: Vec<String> = task.origin.tags.iter().map(|tag| literal(tag)).collect();
        parts.push(format!(
            "tagged AS (
                INSERT INTO {schema}.tag (tag, task_id)
                SELECT tag, created.id
                FROM created, unnest(ARRAY[{}]) AS tag
                ON CONFLICT DO NOTHING
            )",
            tags.join(", ")
        ));
    }
    let due_at = task.run_at.map_or_else(|| "NULL".to_owned(), |run_at| format!("'{run_at}'::timestamptz"));
    let rank = rank(task.run_at.unwrap_or(task.created_at), task.priority);
    let steps = array(&task.starts).unwrap_or_else(|| "{}".to_owned());
    // The notice goes out with the caller's commit.
    Ok(format!(
        "WITH {}
        INSERT INTO {schema}.step (task_id, step, template_id, namespace, state, attempts, due_at, rank)
        SELECT created.id, start, created.template_id, template.namespace, 'ready', 0, {due_at}, {rank}
        FROM created
        JOIN {schema}.template ON template.id = created.template_id
        CROSS JOIN LATERAL (SELECT pg_notify({}, '')) AS notice
        CROSS JOIN unnest('{steps}'::int4[]) AS start",
        parts.join(",\n"),
        literal(channel),
    ))
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_text_stays_one() {
        assert_eq!(literal(r"it's \ a'); DROP"), r"E'it''s \\ a''); DROP'");
    }
}
