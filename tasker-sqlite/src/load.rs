//! Reads the rows of a task for the state machine.

use rusqlite::{Connection, OptionalExtension as _, Row};
use tasker_store::progress::{EndedAttempt, Progress, RunProgress, TaskRow};
use tasker_store::{AttemptOutcome, Claim, StepKey, StepState, TaskId, TaskState, TemplateId, WorkerId};
use tasker_template::StepIndex;
use uuid::Uuid;

use crate::error::{Result, unreadable};
use crate::values::{blob, key, timestamp, uuid};

/// The progress of a task; `None` when there is no such task.
pub(crate) fn progress(connection: &Connection, task: TaskId) -> Result<Option<Progress>> {
    let Some(row) = task_row(connection, task)? else { return Ok(None) };
    let (runs, attempts) = (runs(connection, task, row.template)?, attempts(connection, task)?);
    Ok(Some(Progress::restored(&row, runs, &attempts)))
}

pub(crate) fn task_row(connection: &Connection, task: TaskId) -> Result<Option<TaskRow>> {
    let sql = "SELECT template_id, state, priority, worker_id, claimed, created_at FROM task WHERE id = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([blob(&task.0)], |row| {
            let creator: Option<[u8; 16]> = row.get(3)?;
            let (state, claimed): (String, Option<String>) = (row.get(1)?, row.get(4)?);
            Ok((TemplateId(uuid(row, 0)?), state, row.get(2)?, creator, claimed, row.get::<_, i64>(5)?))
        })
        .optional()?;
    let Some((template, state, priority, creator, claimed, created_at)) = found else { return Ok(None) };
    Ok(Some(TaskRow {
        task,
        template,
        state: state.parse::<TaskState>().map_err(|_| unreadable("task state", state))?,
        priority,
        creator: creator.map(|id| WorkerId(Uuid::from_bytes(id))),
        created_at: timestamp(created_at)?,
        claimed: claimed.map(|claimed| steps(&claimed)).transpose()?.unwrap_or_default(),
    }))
}

/// The runs of a task that have rows.
pub(crate) fn runs(
    connection: &Connection,
    task: TaskId,
    template: TemplateId,
) -> Result<Vec<(StepKey, RunProgress)>> {
    let sql =
        "SELECT step, instance, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at
        FROM step
        WHERE task_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, state): (StepKey, String) = (key(row, 0)?, row.get(2)?);
        let state = state.parse::<StepState>().map_err(|_| unreadable("step state", state))?;
        let (attempt, attempts_before_reset) = (row.get(3)?, row.get(4)?);
        let mut run = RunProgress::stored(state, attempt, attempts_before_reset);
        run.due_at = row.get::<_, Option<i64>>(5)?.map(timestamp).transpose()?;
        run.rank = row.get(6)?;
        let worker: Option<[u8; 16]> = row.get(7)?;
        if let (Some(worker), Some(claimed_at)) = (worker, row.get::<_, Option<i64>>(8)?) {
            let (worker, claimed_at) = (WorkerId(Uuid::from_bytes(worker)), timestamp(claimed_at)?);
            let claim = Claim { task, template, key, attempt, attempts_before_reset, worker, claimed_at };
            run.claim = Some(claim);
        }
        runs.push((key, run));
    }
    Ok(runs)
}

fn attempts(connection: &Connection, task: TaskId) -> Result<Vec<EndedAttempt>> {
    let sql = "SELECT step, instance, attempt, outcome, worker_id, finished_at, claimed
        FROM attempt
        WHERE task_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt(row)?);
    }
    Ok(attempts)
}

/// An attempt, from the columns step, instance, attempt, outcome, `worker_id`, `finished_at` and claimed.
pub(crate) fn attempt(row: &Row<'_>) -> Result<EndedAttempt> {
    let outcome = row.get_ref(3)?.as_str().unwrap_or_default();
    Ok(EndedAttempt {
        key: key(row, 0)?,
        attempt: row.get(2)?,
        outcome: outcome.parse::<AttemptOutcome>().map_err(|_| unreadable("attempt outcome", outcome))?,
        worker: WorkerId(uuid(row, 4)?),
        finished_at: timestamp(row.get(5)?)?,
        claimed: match row.get::<_, Option<String>>(6)? {
            Some(claimed) => steps(&claimed)?,
            None => Vec::new(),
        },
    })
}

/// Parses a list of steps from its text in the database.
fn steps(text: &str) -> Result<Vec<StepIndex>> {
    serde_json::from_str(text).map_err(|_| unreadable("list of steps", text))
}

/// The text of a list of steps in the database; `None` for an empty list.
pub(crate) fn text(steps: &[StepIndex]) -> Option<String> {
    if steps.is_empty() {
        return None;
    }
    let numbers: Vec<String> = steps.iter().map(ToString::to_string).collect();
    Some(format!("[{}]", numbers.join(",")))
}
