//! Reads tasks as people look at them.

use tasker_store::{
    ActionRecord, AttemptRecord, ErrorRecord, Json, Origin, StepRecord, TaskFilter, TaskHead, TaskId,
    TaskRecord, TaskState, TemplateId, WorkerId, chain,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::columns::Value;
use crate::error::PgResult;
use crate::load::{self, Lock};
use crate::rows::run_of;
use crate::sql::statement;
use crate::values::{Result, any_json, get, maybe_json, maybe_time, number, runs, time, word};

/// Everything about a task, as of one moment: `client` must be in a transaction that is repeatable read.
pub(crate) async fn task(
    client: &impl GenericClient,
    schema: &str,
    id: TaskId,
) -> PgResult<Option<TaskRecord>> {
    let head_sql = statement!("task_heads", schema) + " WHERE id = $1";
    let attempts_sql = statement!("task_attempts", schema);
    let actions_sql = statement!("task_actions", schema);
    let values: [Value<'_>; 1] = [(&id.0, Type::UUID)];
    let (heads, attempts, actions, fetched) = tokio::try_join!(
        client.query_typed(&head_sql, &values),
        client.query_typed(&attempts_sql, &values),
        client.query_typed(&actions_sql, &values),
        load::fetch(client, schema, std::slice::from_ref(&id), &[], Lock::None),
    )?;
    let Some(row) = heads.first() else { return Ok(None) };
    let head = head(row)?;
    let Some(loaded) = fetched.read(&[id])?.remove(&id) else { return Ok(None) };
    let progress = loaded?.progress;
    let steps = progress.runs().map(|(key, run)| StepRecord::new(key, run)).collect();
    let attempts = attempts.iter().map(attempt).collect::<Result<_>>()?;
    let actions = actions.iter().map(action).collect::<Result<_>>()?;
    Ok(Some(TaskRecord { head, steps, attempts, actions }))
}

/// What is not needed to look at the task and to steer it is taken as it is.
fn head(row: &Row) -> Result<TaskHead> {
    Ok(TaskHead {
        id: TaskId(get(row, "id")?),
        template: TemplateId(get(row, "template_id")?),
        state: word(row, "state", "task state")?,
        correlation_id: get(row, "correlation_id")?,
        context: Json::unchecked(get(row, "context")?),
        priority: get(row, "priority")?,
        origin: get::<Option<&str>>(row, "origin")?.map(Origin::read).unwrap_or_default(),
        created_at: time(row, "created_at")?,
        settled_at: maybe_time(row, "settled_at")?,
    })
}

fn attempt(row: &Row) -> Result<AttemptRecord> {
    Ok(AttemptRecord {
        key: run_of(row)?,
        attempt: number(row, "attempt")?,
        worker: WorkerId(get(row, "worker_id")?),
        started_at: time(row, "started_at")?,
        finished_at: time(row, "finished_at")?,
        outcome: word(row, "outcome", "attempt outcome")?,
        result: any_json(row, "result")?,
        error: get::<Option<&str>>(row, "error")?.map(ErrorRecord::read),
    })
}

fn action(row: &Row) -> Result<ActionRecord> {
    Ok(ActionRecord {
        action: get(row, "action")?,
        runs: runs(row, "steps")?,
        by: get(row, "by_whom")?,
        reason: get(row, "reason")?,
        at: time(row, "at")?,
        details: maybe_json(row, "details", "record of an action").unwrap_or_default().unwrap_or_default(),
    })
}

/// The tasks that a filter selects, the newest first.
pub(crate) async fn tasks(
    client: &impl GenericClient,
    schema: &str,
    filter: &TaskFilter,
) -> PgResult<Vec<TaskHead>> {
    let mut sql = statement!("task_heads", schema) + " WHERE id < $1";
    let before = filter.before.map_or(Uuid::max(), |id| id.0);
    let mut values: Vec<Value<'_>> = vec![(&before, Type::UUID)];
    let of_template = |column: &str| {
        format!("template_id IN (SELECT template.id FROM {schema}.template WHERE {column} = ?)")
    };
    let tagged = format!("id IN (SELECT task_id FROM {schema}.tag WHERE tag = ?)");
    let conditions: [(String, Option<&(dyn ToSql + Sync)>, Type); 4] = [
        (of_template("namespace"), filter.namespace.as_ref().map(|value| value as _), Type::TEXT),
        (of_template("name"), filter.name.as_ref().map(|value| value as _), Type::TEXT),
        (tagged, filter.tag.as_ref().map(|value| value as _), Type::TEXT),
        ("correlation_id = ?".to_owned(), filter.correlation_id.as_ref().map(|value| value as _), Type::UUID),
    ];
    for (condition, value, kind) in conditions {
        if let Some(value) = value {
            values.push((value, kind));
            sql.push_str(&format!(" AND {}", condition.replace('?', &format!("${}", values.len()))));
        }
    }
    if filter.given_up {
        sql.push_str(&format!(" AND id IN (SELECT task_id FROM {schema}.action WHERE action = 'give_up')"));
    }
    if !filter.states.is_empty() {
        let states: Vec<String> = filter.states.iter().map(|state| format!("'{state}'")).collect();
        // The index of open tasks applies only when the statement has its condition.
        let open = if filter.states.contains(&TaskState::Complete) { "" } else { " AND state <> 'complete'" };
        sql.push_str(&format!(" AND state IN ({}){open}", states.join(", ")));
    }
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {limit}"));
    let rows = client.query_typed(&sql, &values).await?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in &rows {
        match head(row) {
            Ok(head) => heads.push(head),
            // A task that cannot be read does not hide the others.
            Err(error) => {
                let task = get::<Uuid>(row, "id").ok();
                let error = chain(&error);
                tracing::error!(?task, %error, "a task cannot be read; it is left out of the list");
            }
        }
    }
    Ok(heads)
}
