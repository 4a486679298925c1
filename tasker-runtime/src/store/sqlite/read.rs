//! The operations that only read.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tasker_template::StepIndex;
use uuid::Uuid;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::state::{AttemptOutcome, StepState, TaskState};
use crate::store::sqlite::values::{Result, blob, json, timestamp, unreadable, uuid};
use crate::store::{
    AttemptRecord, Claim, StepRecord, TaskFilter, TaskHead, TaskInputs, TaskRecord, TemplateRecord,
};

pub(super) fn workers(connection: &Connection) -> Result<Vec<WorkerId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM worker")?;
    let ids = statement.query_map([], |row| uuid(row, 0).map(WorkerId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn claims_of(connection: &Connection, workers: &[WorkerId]) -> Result<Vec<Claim>> {
    // No index: this is asked only after a worker has died, and the table holds unfinished work alone.
    let sql = "SELECT step.task_id, task.template_id, step.step, step.attempts, step.claimed_at
        FROM step
        JOIN task ON task.id = step.task_id
        WHERE step.worker_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut claims = Vec::new();
    for worker in workers {
        let mut rows = statement.query([blob(&worker.0)])?;
        while let Some(row) = rows.next()? {
            claims.push(Claim {
                task: TaskId(uuid(row, 0)?),
                template: TemplateId(uuid(row, 1)?),
                step: row.get(2)?,
                attempt: row.get(3)?,
                worker: *worker,
                claimed_at: timestamp(row.get(4)?)?,
            });
        }
    }
    Ok(claims)
}

pub(super) fn template(connection: &Connection, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>> {
    let sql = "SELECT namespace, name, version, snapshot FROM template WHERE id = ?1";
    let record = connection.prepare_cached(sql)?.query_row([blob(&id.0)], |row| {
        let (namespace, name) = (row.get(0)?, row.get(1)?);
        Ok(TemplateRecord { id, namespace, name, version: row.get(2)?, snapshot: row.get(3)? })
    });
    Ok(record.optional()?.map(Arc::new))
}

pub(super) fn inputs(
    connection: &Connection,
    task: TaskId,
    steps: &[StepIndex],
) -> Result<Option<TaskInputs>> {
    let sql = "SELECT context, correlation_id, created_at FROM task WHERE id = ?1";
    let head = connection
        .prepare_cached(sql)?
        .query_row([blob(&task.0)], |row| Ok((row.get::<_, String>(0)?, uuid(row, 1)?, row.get(2)?)))
        .optional()?;
    let Some((context, correlation_id, created_at)) = head else { return Ok(None) };
    let sql = "SELECT result
        FROM attempt
        WHERE task_id = ?1 AND step = ?2 AND instance = 0 AND outcome = 'complete'";
    let mut statement = connection.prepare_cached(sql)?;
    let mut results = Vec::with_capacity(steps.len());
    for step in steps {
        let result =
            statement.query_row(params![blob(&task.0), step], |row| row.get::<_, String>(0)).optional()?;
        results.push(result.map(json).transpose()?);
    }
    let (context, created_at) = (json(context)?, timestamp(created_at)?);
    Ok(Some(TaskInputs { context, correlation_id, created_at, results }))
}

const HEAD: &str = "SELECT id, template_id, state, correlation_id, context, created_at, settled_at FROM task";

fn head(row: &Row<'_>) -> Result<TaskHead> {
    let state: String = row.get(2)?;
    Ok(TaskHead {
        id: TaskId(uuid(row, 0)?),
        template: TemplateId(uuid(row, 1)?),
        state: TaskState::parse(&state).ok_or_else(|| unreadable("task state", state))?,
        correlation_id: uuid(row, 3)?,
        context: json(row.get(4)?)?,
        created_at: timestamp(row.get(5)?)?,
        settled_at: row.get::<_, Option<i64>>(6)?.map(timestamp).transpose()?,
    })
}

pub(super) fn task(connection: &Connection, id: TaskId) -> Result<Option<TaskRecord>> {
    // One transaction: the three reads see the same moment.
    let transaction = connection.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(&format!("{HEAD} WHERE id = ?1"))?;
    let mut rows = statement.query([blob(&id.0)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let head = head(row)?;
    let (steps, attempts) = (steps(&transaction, id)?, attempts(&transaction, id)?);
    Ok(Some(TaskRecord { head, steps, attempts }))
}

fn steps(connection: &Connection, task: TaskId) -> Result<Vec<StepRecord>> {
    let sql = "SELECT step, state, attempts, due_at, claimed_at
        FROM step
        WHERE task_id = ?1 AND step >= 0
        ORDER BY step";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        let state: String = row.get(1)?;
        steps.push(StepRecord {
            step: row.get(0)?,
            state: StepState::parse(&state).ok_or_else(|| unreadable("step state", state))?,
            attempts: row.get(2)?,
            due_at: row.get::<_, Option<i64>>(3)?.map(timestamp).transpose()?,
            claimed_at: row.get::<_, Option<i64>>(4)?.map(timestamp).transpose()?,
        });
    }
    Ok(steps)
}

fn attempts(connection: &Connection, task: TaskId) -> Result<Vec<AttemptRecord>> {
    let sql = "SELECT step, attempt, worker_id, started_at, finished_at, outcome, result, error
        FROM attempt
        WHERE task_id = ?1
        ORDER BY step, attempt";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let outcome: String = row.get(5)?;
        let error: Option<String> = row.get(7)?;
        attempts.push(AttemptRecord {
            step: row.get(0)?,
            attempt: row.get(1)?,
            worker: WorkerId(uuid(row, 2)?),
            started_at: timestamp(row.get(3)?)?,
            finished_at: timestamp(row.get(4)?)?,
            outcome: AttemptOutcome::parse(&outcome).ok_or_else(|| unreadable("attempt outcome", outcome))?,
            result: row.get::<_, Option<String>>(6)?.map(json).transpose()?,
            error: error
                .map(|text| serde_json::from_str(&text).map_err(|_| unreadable("error record", text)))
                .transpose()?,
        });
    }
    Ok(attempts)
}

pub(super) fn tasks(connection: &Connection, filter: &TaskFilter) -> Result<Vec<TaskHead>> {
    let sql = match filter.state {
        // The index of unfinished tasks applies only when its own condition is repeated.
        Some(TaskState::Complete) => format!("{HEAD} WHERE state = 'complete' AND id < ?1"),
        Some(state) => format!("{HEAD} WHERE state = '{state}' AND state <> 'complete' AND id < ?1"),
        None => format!("{HEAD} WHERE id < ?1"),
    };
    let mut statement = connection.prepare_cached(&format!("{sql} ORDER BY id DESC LIMIT ?2"))?;
    let before = filter.before.map_or(Uuid::max(), |id| id.0);
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![blob(&before), limit])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(head(row)?);
    }
    Ok(heads)
}
