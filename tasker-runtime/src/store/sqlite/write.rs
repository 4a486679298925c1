//! The operations that write, as statements inside a transaction that somebody else opens and commits.

use jiff::Timestamp;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, params};
use tasker_template::StepIndex;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::state::{AttemptOutcome, TaskState};
use crate::store::sqlite::read;
use crate::store::sqlite::values::{Result, blob, micros, timestamp, unreadable, uuid};
use crate::store::{
    Claim, ClaimRequest, Claimed, Dependent, Ending, Finished, FinishedAttempt, NewTaskRecord, StoreError,
    TemplateRecord,
};

/// The row that counts the steps which nobody waits for, as if the end of the task were one more step.
const END: i64 = -1;

fn execute(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

pub(super) fn register_worker(connection: &Connection, worker: WorkerId, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO worker (id, process, started_at) VALUES (?1, ?2, ?3)";
    execute(connection, sql, params![blob(&worker.0), std::process::id(), micros(now)])?;
    Ok(())
}

/// Forgets the workers that are dead, unless something is still claimed in their names: the row is how
/// others find that. Those that were forgotten.
pub(super) fn forget_workers(
    connection: &Connection,
    is_dead: &impl Fn(WorkerId) -> bool,
) -> Result<Vec<WorkerId>> {
    let sql = "DELETE FROM worker
        WHERE id = ?1
        AND NOT EXISTS (SELECT 1 FROM step WHERE worker_id = ?1)";
    let mut forgotten = Vec::new();
    for worker in read::workers(connection)?.into_iter().filter(|worker| is_dead(*worker)) {
        if execute(connection, sql, params![blob(&worker.0)])? > 0 {
            forgotten.push(worker);
        }
    }
    Ok(forgotten)
}

pub(super) fn put_template(connection: &Connection, template: &TemplateRecord) -> Result<()> {
    let sql = "INSERT INTO template (id, namespace, name, version, snapshot)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    let TemplateRecord { id, namespace, name, version, snapshot } = template;
    execute(connection, sql, params![blob(&id.0), namespace, name, version, snapshot])?;
    Ok(())
}

pub(super) fn create_task(
    connection: &Connection,
    task: &NewTaskRecord,
    request: &ClaimRequest,
) -> Result<Claimed> {
    let sql = "INSERT INTO task (id, template_id, state, correlation_id, context, created_at)
        SELECT ?1, id, 'in_progress', ?3, ?4, ?5
        FROM template
        WHERE id = ?2";
    let (id, template) = (blob(&task.id.0), blob(&task.template.0));
    let values =
        params![id, template, blob(&task.correlation_id), task.context.get(), micros(task.created_at)];
    if execute(connection, sql, values)? == 0 {
        return Err(StoreError::NoTemplate(task.template));
    }
    let mut passing = Passing::new(connection, task.id, task.template, request);
    for step in &task.starts {
        passing.insert_ready(*step)?;
    }
    Ok(passing.claimed)
}

pub(super) fn claim(connection: &Connection, request: &ClaimRequest) -> Result<Claimed> {
    let mut claimed = Claimed::default();
    claim_due(connection, request, &mut claimed)?;
    let sql = "SELECT min(due_at) FROM step WHERE due_at > ?1";
    let next: Option<i64> =
        connection.prepare_cached(sql)?.query_row([micros(request.now)], |row| row.get(0))?;
    claimed.next_due = next.map(timestamp).transpose()?;
    Ok(claimed)
}

pub(super) fn finish(
    connection: &Connection,
    attempt: &FinishedAttempt,
    request: &ClaimRequest,
) -> Result<Finished> {
    let FinishedAttempt { claim, .. } = attempt;
    let now = micros(attempt.finished_at);
    let (task, step, worker) = (blob(&claim.task.0), claim.step, blob(&claim.worker.0));
    let claimed_at = micros(claim.claimed_at);
    let mut passing = Passing::new(connection, claim.task, claim.template, request);
    let mut settled = None;
    match &attempt.ending {
        Ending::Complete { result, dependents, ends } => {
            let sql = "DELETE FROM step
                WHERE task_id = ?1 AND step = ?2 AND instance = 0
                AND worker_id = ?3 AND attempts = ?4 AND claimed_at = ?5";
            if execute(connection, sql, params![task, step, worker, claim.attempt, claimed_at])? == 0 {
                return Ok(Finished::Stale);
            }
            record(connection, attempt, AttemptOutcome::Complete, Some(result.get()), None)?;
            for dependent in dependents.iter() {
                passing.satisfy(*dependent)?;
            }
            if let Some(ends) = ends
                && passing.end(*ends)?
            {
                settled = Some(TaskState::Complete);
            }
        }
        Ending::Failed { outcome, error, retry_at } => {
            let state = if retry_at.is_some() { "waiting_for_retry" } else { "error" };
            let sql = "UPDATE step
                SET state = ?6, due_at = ?7, worker_id = NULL, claimed_at = NULL
                WHERE task_id = ?1 AND step = ?2 AND instance = 0
                AND worker_id = ?3 AND attempts = ?4 AND claimed_at = ?5";
            let values = params![task, step, worker, claim.attempt, claimed_at, state, retry_at.map(micros)];
            if execute(connection, sql, values)? == 0 {
                return Ok(Finished::Stale);
            }
            let error = serde_json::to_string(error).map_err(|error| unreadable("error record", error))?;
            record(connection, attempt, *outcome, None, Some(&error))?;
        }
    }
    if settled.is_none() && passing.touched == 0 && is_blocked(connection, claim.task)? {
        settled = Some(TaskState::BlockedByFailures);
    }
    if let Some(state) = settled {
        let sql = "UPDATE task SET state = ?2, settled_at = ?3 WHERE id = ?1";
        execute(connection, sql, params![task, state.as_str(), now])?;
    }
    let mut claimed = passing.claimed;
    if request.any {
        claim_due(connection, request, &mut claimed)?;
    }
    Ok(Finished::Recorded { claimed, settled })
}

pub(super) fn release(connection: &Connection, claims: &[Claim], now: Timestamp) -> Result<()> {
    for claim in claims {
        let sql = "UPDATE step
            SET state = 'ready', due_at = ?6, attempts = attempts - 1, worker_id = NULL, claimed_at = NULL
            WHERE task_id = ?1 AND step = ?2 AND instance = 0
            AND worker_id = ?3 AND attempts = ?4 AND claimed_at = ?5";
        let (task, worker) = (blob(&claim.task.0), blob(&claim.worker.0));
        let (claimed_at, now) = (micros(claim.claimed_at), micros(now));
        execute(connection, sql, params![task, claim.step, worker, claim.attempt, claimed_at, now])?;
    }
    Ok(())
}

fn record(
    connection: &Connection,
    attempt: &FinishedAttempt,
    outcome: AttemptOutcome,
    result: Option<&str>,
    error: Option<&str>,
) -> Result<()> {
    let sql = "INSERT INTO attempt
        (task_id, step, attempt, worker_id, started_at, finished_at, outcome, result, error)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let FinishedAttempt { claim, started_at, finished_at, .. } = attempt;
    let (task, worker) = (blob(&claim.task.0), blob(&claim.worker.0));
    let (started_at, finished_at) = (micros(*started_at), micros(*finished_at));
    let values = params![
        task,
        claim.step,
        claim.attempt,
        worker,
        started_at,
        finished_at,
        outcome.as_str(),
        result,
        error
    ];
    execute(connection, sql, values)?;
    Ok(())
}

/// Whether a step has failed for good and none can move. The first question is the cheap one.
fn is_blocked(connection: &Connection, task: TaskId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM step WHERE task_id = ?1 AND state = 'error')
        AND NOT EXISTS (
            SELECT 1 FROM step
            WHERE task_id = ?1 AND state IN ('ready', 'in_progress', 'waiting_for_retry')
        )";
    Ok(connection.prepare_cached(sql)?.query_row([blob(&task.0)], |row| row.get(0))?)
}

fn claim_due(connection: &Connection, request: &ClaimRequest, claimed: &mut Claimed) -> Result<()> {
    let room = request.limit.saturating_sub(claimed.claims.len());
    // One more than there is room for tells whether some are left.
    let sql = "SELECT step.task_id, step.step, step.attempts, task.template_id
        FROM step
        JOIN task ON task.id = step.task_id
        WHERE step.due_at <= ?1
        ORDER BY step.due_at, step.task_id, step.step
        LIMIT ?2";
    let limit = i64::try_from(room + 1).unwrap_or(i64::MAX);
    let due = connection
        .prepare_cached(sql)?
        .query_map(params![micros(request.now), limit], |row| {
            let (task, template) = (uuid(row, 0)?, uuid(row, 3)?);
            Ok(Claim {
                task: TaskId(task),
                template: TemplateId(template),
                step: row.get(1)?,
                attempt: row.get::<_, u32>(2)? + 1,
                worker: request.worker,
                claimed_at: request.now,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    claimed.more |= due.len() > room;
    for claim in due.into_iter().take(room) {
        let sql = "UPDATE step
            SET state = 'in_progress', attempts = ?3, due_at = NULL, worker_id = ?4, claimed_at = ?5
            WHERE task_id = ?1 AND step = ?2 AND instance = 0";
        let (task, worker) = (blob(&claim.task.0), blob(&claim.worker.0));
        execute(connection, sql, params![task, claim.step, claim.attempt, worker, micros(request.now)])?;
        claimed.claims.push(claim);
    }
    Ok(())
}

/// Makes steps of one task ready, and claims them in passing as far as there is room.
struct Passing<'a> {
    connection: &'a Connection,
    task: TaskId,
    template: TemplateId,
    request: &'a ClaimRequest,
    claimed: Claimed,
    /// How many steps were made ready, claimed or not.
    touched: usize,
}

impl<'a> Passing<'a> {
    fn new(
        connection: &'a Connection,
        task: TaskId,
        template: TemplateId,
        request: &'a ClaimRequest,
    ) -> Self {
        Self { connection, task, template, request, claimed: Claimed::default(), touched: 0 }
    }

    /// One dependency of `dependent` is complete.
    fn satisfy(&mut self, dependent: Dependent) -> Result<()> {
        if dependent.parents <= 1 {
            return self.insert_ready(dependent.step);
        }
        if !self.count_down(i64::from(dependent.step), dependent.parents)? {
            return Ok(());
        }
        let sql = "UPDATE step
            SET state = ?3, attempts = ?4, due_at = ?5, worker_id = ?6, claimed_at = ?7
            WHERE task_id = ?1 AND step = ?2 AND instance = 0";
        self.make_ready(sql, dependent.step)
    }

    fn insert_ready(&mut self, step: StepIndex) -> Result<()> {
        let sql = "INSERT INTO step (task_id, step, state, attempts, due_at, worker_id, claimed_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.make_ready(sql, step)
    }

    fn make_ready(&mut self, sql: &str, step: StepIndex) -> Result<()> {
        let (task, worker, now) =
            (blob(&self.task.0), blob(&self.request.worker.0), micros(self.request.now));
        self.touched += 1;
        if self.claimed.claims.len() < self.request.limit {
            execute(self.connection, sql, params![task, step, "in_progress", 1, None::<i64>, worker, now])?;
            self.claimed.claims.push(Claim {
                task: self.task,
                template: self.template,
                step,
                attempt: 1,
                worker: self.request.worker,
                claimed_at: self.request.now,
            });
        } else {
            let none: (Option<&[u8]>, Option<i64>) = (None, None);
            execute(self.connection, sql, params![task, step, "ready", 0, now, none.0, none.1])?;
            self.claimed.more = true;
        }
        Ok(())
    }

    /// One more of the steps that nobody waits for is complete: whether that was the last.
    fn end(&self, ends: u32) -> Result<bool> {
        if ends > 1 {
            if !self.count_down(END, ends)? {
                return Ok(false);
            }
            let sql = "DELETE FROM step WHERE task_id = ?1 AND step = ?2 AND instance = 0";
            execute(self.connection, sql, params![blob(&self.task.0), END])?;
        }
        Ok(true)
    }

    /// Counts one of `from` down, from the first time it is asked; whether none is left.
    fn count_down(&self, step: i64, from: u32) -> Result<bool> {
        let sql = "INSERT INTO step (task_id, step, state, waiting_for)
            VALUES (?1, ?2, 'pending', ?3)
            ON CONFLICT DO UPDATE SET waiting_for = waiting_for - 1
            RETURNING waiting_for";
        let left: Option<u32> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![blob(&self.task.0), step, from - 1], |row| row.get(0))
            .optional()?;
        Ok(left == Some(0))
    }
}
