//! The operations that only read.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tasker_store::{
    ActionRecord, AttemptOutcome, AttemptRecord, Claim, ErrorRecord, Json, Origin, ProgramRecord, StepKey,
    StepRecord, TaskFilter, TaskGlance, TaskHead, TaskId, TaskInputs, TaskRecord, TaskState, TemplateId,
    TemplateRecord, WorkerId, WorkerInfo, WorkerRecord, chain,
};
use tasker_template::StepIndex;
use uuid::Uuid;

use crate::error::{Result, SqliteError, unreadable};
use crate::load;
use crate::values::{any_json, any_text, blob, json, key, timestamp, uuid};

pub(crate) fn workers(connection: &Connection) -> Result<Vec<WorkerId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM worker")?;
    let ids = statement.query_map([], |row| uuid(row, 0).map(WorkerId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// The records of the workers.
pub(crate) fn worker_records(
    connection: &Connection,
    is_alive: impl Fn(WorkerId) -> bool,
) -> Result<Vec<WorkerRecord>> {
    // One transaction, so that workers and claims are of the same moment.
    let transaction = connection.unchecked_transaction()?;
    let mut running: HashMap<WorkerId, u32> = HashMap::new();
    for claim in claims_of(&transaction, &workers(&transaction)?)? {
        *running.entry(claim.worker).or_default() += 1;
    }
    let sql = "SELECT
            id, host, process, version, namespaces, handlers, concurrency, started_at, callables, program,
            environment
        FROM worker
        ORDER BY id";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let id = WorkerId(uuid(row, 0)?);
        let list = |column, what| {
            let text = row.get::<_, Option<String>>(column)?;
            let list = text.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(what, text)));
            list.transpose()
        };
        let info = WorkerInfo::new(row.get::<_, String>(1)?, row.get(2)?, row.get::<_, String>(3)?)
            .namespaces(list(4, "list of namespaces")?)
            .handlers(row.get(5)?)
            .concurrency(row.get(6)?)
            .callables(list(8, "list of callables")?)
            .program(row.get(9)?)
            .environment(row.get(10)?);
        let record = WorkerRecord::new(id, info, timestamp(row.get(7)?)?)
            .running(running.get(&id).copied().unwrap_or_default())
            .alive(is_alive(id));
        records.push(record);
    }
    Ok(records)
}

/// The program of a worker.
pub(crate) fn program(connection: &Connection, worker: WorkerId) -> Result<Option<ProgramRecord>> {
    let sql = "SELECT program, tasker, started_at FROM program WHERE worker_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&worker.0)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let info = WorkerInfo::new("", 0, row.get::<_, String>(1)?).program(row.get(0)?);
    Ok(Some(ProgramRecord::new(worker, &info, timestamp(row.get(2)?)?)))
}

/// The claims of these workers. Used only after a worker has died, because it reads all unfinished tasks.
pub(crate) fn claims_of(connection: &Connection, workers: &[WorkerId]) -> Result<Vec<Claim>> {
    let sql = "SELECT task_id FROM step WHERE worker_id = ?1
        UNION
        SELECT id FROM task
        WHERE state = 'in_progress' AND state <> 'complete' AND worker_id = ?1
        UNION
        SELECT task.id
        FROM task
        JOIN attempt ON attempt.task_id = task.id
        WHERE task.state = 'in_progress' AND task.state <> 'complete'
        AND attempt.worker_id = ?1 AND attempt.claimed IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let mut claims = Vec::new();
    for worker in workers {
        let tasks = statement.query_map([blob(&worker.0)], |row| uuid(row, 0).map(TaskId))?;
        for task in tasks.collect::<rusqlite::Result<Vec<_>>>()? {
            let progress = match load::progress(connection, task) {
                Ok(Some(progress)) => progress,
                Ok(None) => continue,
                Err(SqliteError::Store(error)) if error.is_lasting() => {
                    let error = chain(&error);
                    tracing::error!(%task, %error, "a task cannot be read; its claims are left alone");
                    continue;
                }
                Err(error) => return Err(error),
            };
            claims.extend(progress.claims().filter(|claim| claim.worker == *worker));
        }
    }
    Ok(claims)
}

pub(crate) fn template(connection: &Connection, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>> {
    let sql = "SELECT namespace, name, version, snapshot FROM template WHERE id = ?1";
    let record = connection.prepare_cached(sql)?.query_row([blob(&id.0)], |row| {
        let (namespace, name) = (row.get(0)?, row.get(1)?);
        let snapshot = any_text(row, 3)?.unwrap_or_default();
        Ok(TemplateRecord { id, namespace, name, version: row.get(2)?, snapshot })
    });
    Ok(record.optional()?.map(Arc::new))
}

/// The ids of all snapshots.
pub(crate) fn template_ids(connection: &Connection) -> Result<Vec<TemplateId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM template")?;
    let ids = statement.query_map([], |row| uuid(row, 0).map(TemplateId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn inputs(
    connection: &Connection,
    task: TaskId,
    run: StepKey,
    steps: &[StepIndex],
) -> Result<Option<TaskInputs>> {
    let sql = "SELECT context, correlation_id, created_at FROM task WHERE id = ?1";
    let head = connection
        .prepare_cached(sql)?
        .query_row([blob(&task.0)], |row| Ok((row.get::<_, String>(0)?, uuid(row, 1)?, row.get(2)?)))
        .optional()?;
    let Some((context, correlation_id, created_at)) = head else { return Ok(None) };
    let results = steps.iter().map(|step| result(connection, task, *step)).collect::<Result<_>>()?;
    let input = if run.is_only() { None } else { input(connection, task, run)? };
    let (context, created_at) = (json(context)?, timestamp(created_at)?);
    Ok(Some(TaskInputs { context, correlation_id, created_at, results, input }))
}

/// The result of a step: that of its only run, or the list of what its several runs have returned.
fn result(connection: &Connection, task: TaskId, step: StepIndex) -> Result<Option<Json>> {
    let sql = "SELECT instance, result
        FROM attempt
        WHERE task_id = ?1 AND step = ?2 AND result IS NOT NULL
        ORDER BY instance";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![blob(&task.0), step])?;
    let mut several = Vec::new();
    while let Some(row) = rows.next()? {
        let result = json(row.get(1)?)?;
        if row.get::<_, u32>(0)? == 0 {
            return Ok(Some(result));
        }
        several.push(result);
    }
    Ok((!several.is_empty()).then(|| Json::list(&several)))
}

/// The input of a run that is one of several.
fn input(connection: &Connection, task: TaskId, run: StepKey) -> Result<Option<Json>> {
    let sql = "SELECT input FROM step WHERE task_id = ?1 AND step = ?2 AND instance = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![blob(&task.0), run.step, run.instance];
    let input: Option<Option<String>> = statement.query_row(values, |row| row.get(0)).optional()?;
    input.flatten().map(json).transpose()
}

const HEAD: &str = "SELECT
        id, template_id, state, correlation_id, context, created_at, settled_at, priority, origin
    FROM task";

fn head(row: &Row<'_>) -> Result<TaskHead> {
    let state: String = row.get(2)?;
    // What is not needed to look at the task and to steer it is taken as it is.
    Ok(TaskHead {
        id: TaskId(uuid(row, 0)?),
        template: TemplateId(uuid(row, 1)?),
        state: state.parse::<TaskState>().map_err(|_| unreadable("task state", state))?,
        correlation_id: uuid(row, 3)?,
        context: any_json(row, 4)?.unwrap_or_else(|| Json::unchecked(String::new())),
        priority: row.get(7)?,
        origin: any_text(row, 8)?.map(|text| Origin::read(&text)).unwrap_or_default(),
        created_at: timestamp(row.get(5)?)?,
        settled_at: row.get::<_, Option<i64>>(6)?.map(timestamp).transpose()?,
    })
}

pub(crate) fn task(connection: &Connection, id: TaskId) -> Result<Option<TaskRecord>> {
    // One transaction: the three reads see the same moment.
    let transaction = connection.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(&format!("{HEAD} WHERE id = ?1"))?;
    let mut rows = statement.query([blob(&id.0)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let head = head(row)?;
    let progress = load::progress(&transaction, id)?;
    let runs = progress.iter().flat_map(|progress| progress.runs());
    let steps = runs.map(|(key, run)| StepRecord::new(key, run)).collect();
    let (attempts, actions) = (attempts(&transaction, id)?, actions(&transaction, id)?);
    Ok(Some(TaskRecord { head, steps, attempts, actions }))
}

/// The states of tasks, and their runs that have rows.
pub(crate) fn glance(connection: &Connection, tasks: &[TaskId]) -> Result<Vec<TaskGlance>> {
    let transaction = connection.unchecked_transaction()?;
    let mut states = transaction.prepare_cached("SELECT state, template_id FROM task WHERE id = ?1")?;
    let mut found = Vec::new();
    for task in tasks {
        let row = states.query_row([blob(&task.0)], |row| Ok((row.get(0)?, uuid(row, 1)?))).optional()?;
        let Some((state, template)): Option<(String, _)> = row else { continue };
        let Ok(state) = state.parse::<TaskState>() else { continue };
        let runs = match load::runs(&transaction, *task, TemplateId(template)) {
            Err(SqliteError::Store(error)) if error.is_lasting() => continue,
            runs => runs?,
        };
        let runs = runs.iter().map(|(key, run)| StepRecord::new(*key, run)).collect();
        found.push(TaskGlance { id: *task, state, runs });
    }
    Ok(found)
}

fn actions(connection: &Connection, task: TaskId) -> Result<Vec<ActionRecord>> {
    let sql = "SELECT action, steps, by_whom, reason, at, details
        FROM action
        WHERE task_id = ?1
        ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut actions = Vec::new();
    while let Some(row) = rows.next()? {
        let action = row.get(0)?;
        let numbers: Option<Vec<i64>> = any_text(row, 1)?.and_then(|runs| serde_json::from_str(&runs).ok());
        let runs = numbers.and_then(|numbers| StepKey::from_numbers(&numbers)).unwrap_or_default();
        let (by, reason, at) = (row.get(2)?, row.get(3)?, timestamp(row.get(4)?)?);
        let details = any_text(row, 5)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        actions.push(ActionRecord { action, runs, by, reason, at, details });
    }
    Ok(actions)
}

fn attempts(connection: &Connection, task: TaskId) -> Result<Vec<AttemptRecord>> {
    let sql = "SELECT step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error
        FROM attempt
        WHERE task_id = ?1
        ORDER BY step, instance, attempt";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let outcome: String = row.get(6)?;
        attempts.push(AttemptRecord {
            key: key(row, 0)?,
            attempt: row.get(2)?,
            worker: WorkerId(uuid(row, 3)?),
            started_at: timestamp(row.get(4)?)?,
            finished_at: timestamp(row.get(5)?)?,
            outcome: outcome.parse::<AttemptOutcome>().map_err(|_| unreadable("attempt outcome", outcome))?,
            result: any_json(row, 7)?,
            error: any_text(row, 8)?.map(|text| ErrorRecord::read(&text)),
        });
    }
    Ok(attempts)
}

pub(crate) fn tasks(connection: &Connection, filter: &TaskFilter) -> Result<Vec<TaskHead>> {
    let mut sql = format!("{HEAD} WHERE id < ?1");
    let before = filter.before.map_or(Uuid::max(), |id| id.0);
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(blob(&before).to_vec())];
    let mut and = |condition: &str, value: Box<dyn ToSql>| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
    };
    let of_template = "template_id IN (SELECT template.id FROM template WHERE";
    if let Some(namespace) = &filter.namespace {
        and(&format!("{of_template} namespace = ?)"), Box::new(namespace.clone()));
    }
    if let Some(name) = &filter.name {
        and(&format!("{of_template} name = ?)"), Box::new(name.clone()));
    }
    if let Some(tag) = &filter.tag {
        and("id IN (SELECT task_id FROM tag WHERE tag = ?)", Box::new(tag.clone()));
    }
    if let Some(id) = &filter.correlation_id {
        and("correlation_id = ?", Box::new(blob(id).to_vec()));
    }
    if filter.given_up {
        sql.push_str(" AND id IN (SELECT task_id FROM action WHERE action = 'give_up')");
    }
    if !filter.states.is_empty() {
        let states: Vec<String> = filter.states.iter().map(|state| format!("'{state}'")).collect();
        // The index of unfinished tasks applies only when its own condition is repeated.
        let open = if filter.states.contains(&TaskState::Complete) { "" } else { " AND state <> 'complete'" };
        sql.push_str(&format!(" AND state IN ({}){open}", states.join(", ")));
    }
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", i64::try_from(filter.limit).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        match head(row) {
            Ok(head) => heads.push(head),
            // A task that cannot be read does not hide the others.
            Err(SqliteError::Store(error)) if error.is_lasting() => {
                let (task, error) = (uuid(row, 0).ok(), chain(&error));
                tracing::error!(?task, %error, "a task cannot be read; it is left out of the list");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(heads)
}
