//! Where a task is, read back from what was written down.

use rusqlite::{Connection, OptionalExtension as _};
use tasker_store::progress::{Progress, StepProgress};
use tasker_store::{AttemptOutcome, Claim, StepState, TaskId, TaskState, TemplateId, WorkerId};
use tasker_template::StepIndex;

use crate::error::{Result, unreadable};
use crate::values::{blob, timestamp, uuid};

/// The steps of a task; `None` when there is no such task.
pub(crate) fn progress(connection: &Connection, task: TaskId) -> Result<Option<Progress>> {
    let sql = "SELECT template_id, state, priority, worker_id, claimed, created_at FROM task WHERE id = ?1";
    let head = connection
        .prepare_cached(sql)?
        .query_row([blob(&task.0)], |row| {
            let worker: Option<[u8; 16]> = row.get(3)?;
            let (state, claimed): (String, Option<String>) = (row.get(1)?, row.get(4)?);
            Ok((TemplateId(uuid(row, 0)?), state, row.get(2)?, worker, claimed, row.get::<_, i64>(5)?))
        })
        .optional()?;
    let Some((template, state, priority, worker, claimed, created_at)) = head else { return Ok(None) };
    let mut progress = Progress::new(task, template, priority);
    progress.state = state.parse::<TaskState>().map_err(|_| unreadable("task state", state))?;
    rows(connection, &mut progress)?;
    let mut in_passing = Vec::new();
    if let (Some(worker), Some(claimed)) = (worker, claimed) {
        in_passing.push((WorkerId(uuid::Uuid::from_bytes(worker)), claimed, created_at));
    }
    let attempted = attempts(connection, &mut progress, &mut in_passing)?;
    // Nothing of a task that is over is claimed.
    if progress.state == TaskState::InProgress {
        for (worker, claimed, at) in in_passing {
            for step in list(&claimed)?.into_iter().filter(|step| !attempted.contains(step)) {
                let claimed_at = timestamp(at)?;
                let claim =
                    Claim { task, template, step, attempt: 1, attempts_before_reset: 0, worker, claimed_at };
                progress.restore_claim(claim);
            }
        }
    }
    Ok(Some(progress))
}

fn rows(connection: &Connection, progress: &mut Progress) -> Result<()> {
    let sql = "SELECT step, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at
        FROM step
        WHERE task_id = ?1";
    let (task, template) = (progress.task, progress.template);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&task.0)])?;
    while let Some(row) = rows.next()? {
        let (step, state): (StepIndex, String) = (row.get(0)?, row.get(1)?);
        let state = state.parse::<StepState>().map_err(|_| unreadable("step state", state))?;
        let (attempts, attempts_before_reset) = (row.get(2)?, row.get(3)?);
        let mut own = StepProgress::stored(state, attempts, attempts_before_reset);
        own.due_at = row.get::<_, Option<i64>>(4)?.map(timestamp).transpose()?;
        own.rank = row.get(5)?;
        let worker: Option<[u8; 16]> = row.get(6)?;
        if let (Some(worker), Some(claimed_at)) = (worker, row.get::<_, Option<i64>>(7)?) {
            let worker = WorkerId(uuid::Uuid::from_bytes(worker));
            let claimed_at = timestamp(claimed_at)?;
            own.claim = Some(Claim {
                task,
                template,
                step,
                attempt: attempts,
                attempts_before_reset,
                worker,
                claimed_at,
            });
        }
        progress.restore(step, own);
    }
    Ok(())
}

/// What was claimed in passing: by whom, which steps, and when.
type InPassing = (WorkerId, String, i64);

/// Notes the steps that are done and what was claimed in passing; the steps that have been attempted.
fn attempts(
    connection: &Connection,
    progress: &mut Progress,
    in_passing: &mut Vec<InPassing>,
) -> Result<std::collections::HashSet<StepIndex>> {
    let sql = "SELECT step, outcome, worker_id, finished_at, claimed FROM attempt WHERE task_id = ?1";
    let mut attempted = std::collections::HashSet::new();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([blob(&progress.task.0)])?;
    while let Some(row) = rows.next()? {
        let step = row.get(0)?;
        let outcome = row.get_ref(1)?.as_str().unwrap_or_default();
        let outcome =
            outcome.parse::<AttemptOutcome>().map_err(|_| unreadable("attempt outcome", outcome))?;
        attempted.insert(step);
        if outcome.is_done() {
            progress.restore_done(step);
        }
        if let Some(claimed) = row.get::<_, Option<String>>(4)? {
            in_passing.push((WorkerId(uuid(row, 2)?), claimed, row.get(3)?));
        }
    }
    Ok(attempted)
}

/// A list of steps as it is written down.
pub(crate) fn list(text: &str) -> Result<Vec<StepIndex>> {
    serde_json::from_str(text).map_err(|_| unreadable("list of steps", text))
}

/// Steps as they are written down; `None` for none.
pub(crate) fn text(steps: &[StepIndex]) -> Option<String> {
    if steps.is_empty() {
        return None;
    }
    let numbers: Vec<String> = steps.iter().map(ToString::to_string).collect();
    Some(format!("[{}]", numbers.join(",")))
}
