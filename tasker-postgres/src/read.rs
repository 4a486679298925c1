//! The operations that only read.

use std::sync::Arc;

use tasker_store::{
    ActionRecord, AttemptOutcome, AttemptRecord, Identity, StepRecord, TaskFilter, TaskHead, TaskId,
    TaskRecord, TaskState, TemplateId, TemplateRecord, WorkerId,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::load::{self, Hold};
use crate::session::Trouble;
use crate::values::{Result, get, json, maybe_time, number, time, unreadable};

type Answer<T> = std::result::Result<T, Trouble>;

pub(crate) async fn template(
    client: &impl GenericClient,
    schema: &str,
    id: TemplateId,
) -> Answer<Option<Arc<TemplateRecord>>> {
    let sql = format!("SELECT namespace, name, version, snapshot FROM {schema}.template WHERE id = $1");
    let rows = client.query_typed(&sql, &[(&id.0, Type::UUID)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (namespace, name) = (get(row, 0)?, get(row, 1)?);
    Ok(Some(Arc::new(TemplateRecord { id, namespace, name, version: get(row, 2)?, snapshot: get(row, 3)? })))
}

const HEAD: &str = "id, template_id, state, correlation_id, context::text, created_at, settled_at, priority,
    origin::text";

fn head(row: &Row) -> Result<TaskHead> {
    let (state, origin): (&str, Option<&str>) = (get(row, 2)?, get(row, 8)?);
    let origin = origin.map(|text| serde_json::from_str(text).map_err(|_| unreadable("origin", text)));
    Ok(TaskHead {
        id: TaskId(get(row, 0)?),
        template: TemplateId(get(row, 1)?),
        state: state.parse::<TaskState>().map_err(|_| unreadable("task state", state))?,
        correlation_id: get(row, 3)?,
        context: json(get(row, 4)?)?,
        priority: get(row, 7)?,
        origin: origin.transpose()?.unwrap_or_default(),
        created_at: time(row, 5)?,
        settled_at: maybe_time(row, 6)?,
    })
}

/// Everything about a task, as of one moment: `client` is in a transaction that sees only that.
pub(crate) async fn task(
    client: &impl GenericClient,
    schema: &str,
    id: TaskId,
) -> Answer<Option<TaskRecord>> {
    let head_sql = format!("SELECT {HEAD} FROM {schema}.task WHERE id = $1");
    let attempts_sql = format!(
        "SELECT step, attempt, worker_id, started_at, finished_at, outcome, result::text, error::text
        FROM {schema}.attempt
        WHERE task_id = $1
        ORDER BY step, attempt"
    );
    let actions_sql = format!(
        "SELECT action, steps, by_whom, reason, at, details::text
        FROM {schema}.action
        WHERE task_id = $1
        ORDER BY number"
    );
    let values: [(&(dyn ToSql + Sync), Type); 1] = [(&id.0, Type::UUID)];
    let (heads, attempts, actions, loaded) = tokio::try_join!(
        client.query_typed(&head_sql, &values),
        client.query_typed(&attempts_sql, &values),
        client.query_typed(&actions_sql, &values),
        load::ask(client, schema, std::slice::from_ref(&id), &[], Hold::No),
    )?;
    let Some(row) = heads.first() else { return Ok(None) };
    let head = head(row)?;
    let Some(loaded) = loaded.read(&[id])?.remove(&id) else { return Ok(None) };
    let progress = loaded?.progress;
    let steps = progress.steps().map(|(step, row)| StepRecord::new(step, row)).collect();
    let attempts = attempts.iter().map(attempt).collect::<Result<_>>()?;
    let actions = actions.iter().map(action).collect::<Result<_>>()?;
    Ok(Some(TaskRecord { head, steps, attempts, actions }))
}

/// The task that was created under this identity.
pub(crate) async fn task_of_identity(
    client: &impl GenericClient,
    schema: &str,
    identity: &Identity,
) -> Answer<Option<TaskId>> {
    let sql = format!("SELECT task_id FROM {schema}.identity WHERE hash = $1");
    let rows = client.query_typed(&sql, &[(&identity.as_slice(), Type::BYTEA)]).await?;
    Ok(rows.first().map(|row| get(row, 0).map(TaskId)).transpose()?)
}

fn attempt(row: &Row) -> Result<AttemptRecord> {
    let (outcome, result): (&str, Option<&str>) = (get(row, 5)?, get(row, 6)?);
    let error: Option<&str> = get(row, 7)?;
    let error = error.map(|text| serde_json::from_str(text).map_err(|_| unreadable("error record", text)));
    Ok(AttemptRecord {
        step: number(row, 0)?,
        attempt: number(row, 1)?,
        worker: WorkerId(get(row, 2)?),
        started_at: time(row, 3)?,
        finished_at: time(row, 4)?,
        outcome: outcome.parse::<AttemptOutcome>().map_err(|_| unreadable("attempt outcome", outcome))?,
        result: result.map(json).transpose()?,
        error: error.transpose()?,
    })
}

fn action(row: &Row) -> Result<ActionRecord> {
    let steps = load::list(row, 1)?.unwrap_or_default();
    let (by, reason, details): (_, _, Option<&str>) = (get(row, 2)?, get(row, 3)?, get(row, 5)?);
    let details = details
        .map(|text| serde_json::from_str(text).map_err(|_| unreadable("record of an action", text)))
        .transpose()?
        .unwrap_or_default();
    Ok(ActionRecord { action: get(row, 0)?, steps, by, reason, at: time(row, 4)?, details })
}

pub(crate) async fn tasks(
    client: &impl GenericClient,
    schema: &str,
    filter: &TaskFilter,
) -> Answer<Vec<TaskHead>> {
    let mut sql = format!("SELECT {HEAD} FROM {schema}.task WHERE id < $1");
    let before = filter.before.map_or(Uuid::max(), |id| id.0);
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&before, Type::UUID)];
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
        // The index of unfinished tasks applies only when its own condition is repeated.
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
            // One that cannot be read keeps nobody from seeing the others.
            Err(error) => {
                tracing::error!(task = ?get::<Uuid>(row, 0).ok(), %error, "a task cannot be read; it is left out of the list");
            }
        }
    }
    Ok(heads)
}
