//! The facts about the tasks of a file, for `doctor`. Each page is read in one transaction.

use rusqlite::{Connection, Error, Row, params};
use tasker_store::doctor::{Facts, FactsRequest, RunFacts, TaskFacts, WorkerFacts};
use tasker_store::progress::{EndedAttempt, TaskRow};
use tasker_store::{StepKey, TaskId, TaskState, TemplateId, WorkerId, chain};
use uuid::Uuid;

use crate::error::{Result, SqliteError, unreadable};
use crate::load;
use crate::read;
use crate::values::{blob, key, timestamp, uuid};

/// A page of facts. `is_alive` tells which workers are alive.
pub(crate) fn facts(
    connection: &Connection,
    request: FactsRequest,
    is_alive: impl Fn(WorkerId) -> bool,
) -> Result<Facts> {
    let transaction = connection.unchecked_transaction()?;
    let workers = read::workers(&transaction)?.into_iter();
    let workers = workers.map(|id| WorkerFacts { id, alive: is_alive(id), last_beat: None }).collect();
    let ids = page(&transaction, request)?;
    let last = ids.last().copied().filter(|_| ids.len() == request.limit);
    let tasks = ids.iter().map(|id| task(&transaction, *id, request.state)).collect::<Result<_>>()?;
    Ok(Facts { tasks, workers, last })
}

fn page(connection: &Connection, request: FactsRequest) -> Result<Vec<TaskId>> {
    // The index of unfinished tasks applies only when its own condition is repeated.
    let open = if request.state == TaskState::Complete { "" } else { "AND state <> 'complete'" };
    let state = request.state;
    let sql = format!("SELECT id FROM task WHERE state = '{state}' {open} AND id > ?1 ORDER BY id LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let after = request.after.map_or(Uuid::nil(), |after| after.0);
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let ids = statement.query_map(params![blob(&after), limit], |row| uuid(row, 0).map(TaskId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn task(connection: &Connection, id: TaskId, state: TaskState) -> Result<TaskFacts> {
    // What the row is when it cannot be read.
    let unread = TaskRow {
        task: id,
        template: TemplateId(Uuid::nil()),
        state,
        priority: 0,
        creator: None,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        claimed: Vec::new(),
    };
    let sql = "SELECT settled_at FROM task WHERE id = ?1";
    let settled_at = connection.prepare_cached(sql)?.query_row([blob(&id.0)], |row| row.get(0));
    let settled_at = settled_at.map_err(SqliteError::from);
    let mut facts = TaskFacts::new(unread, None);
    if let Some(row) = kept(&mut facts, None, load::task_row(connection, id))?.flatten() {
        facts.row = row;
    }
    let settled_at = settled_at.and_then(|micros: Option<i64>| micros.map(timestamp).transpose());
    facts.settled_at = kept(&mut facts, None, settled_at)?.flatten();
    let runs = "SELECT
            step, instance, state, attempts, attempts_before_reset, rank, worker_id, claimed_at, template_id
        FROM step
        WHERE task_id = ?1";
    for_each(connection, runs, id, |row| {
        let key = key(row, 0)?;
        let run = run(row, key, facts.row.template);
        let run = kept(&mut facts, Some(key), run)?;
        facts.runs.extend(run);
        Ok(())
    })?;
    let attempts = "SELECT step, instance, attempt, outcome, worker_id, finished_at, claimed
        FROM attempt
        WHERE task_id = ?1";
    for_each(connection, attempts, id, |row| {
        let key = key(row, 0)?;
        let attempt = kept(&mut facts, Some(key), load::attempt(row))?;
        facts.attempts.extend::<Option<EndedAttempt>>(attempt);
        Ok(())
    })?;
    let texts = "SELECT 'context', NULL, NULL, context FROM task WHERE id = ?1
        UNION ALL
        SELECT 'origin', NULL, NULL, origin FROM task WHERE id = ?1 AND origin IS NOT NULL
        UNION ALL
        SELECT 'result', step, instance, result FROM attempt WHERE task_id = ?1 AND result IS NOT NULL
        UNION ALL
        SELECT 'error', step, instance, error FROM attempt WHERE task_id = ?1 AND error IS NOT NULL
        UNION ALL
        SELECT 'input', step, instance, input FROM step WHERE task_id = ?1 AND input IS NOT NULL
        UNION ALL
        SELECT 'runs', NULL, NULL, steps FROM action WHERE task_id = ?1
        UNION ALL
        SELECT 'details', NULL, NULL, details FROM action WHERE task_id = ?1 AND details IS NOT NULL";
    for_each(connection, texts, id, |row| {
        let (what, step): (String, Option<u32>) = (row.get(0)?, row.get(1)?);
        let run = match step {
            Some(_) => Some(key(row, 1)?),
            None => None,
        };
        match row.get_ref(3)?.as_str() {
            Ok(text) => facts.note_text(&what, run, text),
            Err(error) => facts.is_broken(run, format!("the {what} cannot be read: {error}")),
        }
        Ok(())
    })?;
    Ok(facts)
}

/// Calls `read` with each row that the query gives for a task.
fn for_each(
    connection: &Connection,
    sql: &str,
    task: TaskId,
    mut read: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    while let Some(row) = rows.next()? {
        read(row)?;
    }
    Ok(())
}

fn run(row: &Row<'_>, key: StepKey, template: TemplateId) -> Result<RunFacts> {
    let state: String = row.get(2)?;
    Ok(RunFacts {
        key,
        state: state.parse().map_err(|_| unreadable("step state", &state))?,
        attempts: row.get(3)?,
        attempts_before_reset: row.get(4)?,
        rank: row.get(5)?,
        worker: row.get::<_, Option<[u8; 16]>>(6)?.map(|id| WorkerId(Uuid::from_bytes(id))),
        claimed_at: row.get::<_, Option<i64>>(7)?.map(timestamp).transpose()?,
        is_misfiled: uuid(row, 8)? != template.0,
    })
}

/// What was read, if it could be. If it could not, the task is noted as one that cannot be judged; an error
/// of the file itself is returned.
fn kept<T>(facts: &mut TaskFacts, run: Option<StepKey>, read: Result<T>) -> Result<Option<T>> {
    let error = match read {
        Ok(value) => return Ok(Some(value)),
        Err(SqliteError::Store(error)) => chain(&error),
        Err(SqliteError::Sqlite(
            error @ (Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)),
        )) => chain(&error),
        Err(error) => return Err(error),
    };
    facts.is_broken(run, error);
    Ok(None)
}
