//! Operators' actions and the deletion of old tasks, inside a transaction that the caller begins and commits.

use rusqlite::{Connection, params};
use tasker_store::{
    Acted, ActionRecord, ActionRequest, Claim, OperatorAction, PruneRequest, StepKey, TaskId,
};
use uuid::Uuid;

use crate::error::{Result, unreadable};
use crate::session::Session;
use crate::values::{blob, micros, uuid};
use crate::write::{execute, insert_record, set_state};

pub(crate) fn act(session: &mut Session, request: &ActionRequest) -> Result<Acted> {
    let Some(mut progress) = session.take(request.task)? else { return Ok(Acted::NoTask) };
    let moved = match progress.act(request) {
        Ok(moved) => moved,
        Err(refusal) => {
            session.keep(progress)?;
            return Ok(Acted::Refused(refusal));
        }
    };
    let (task, connection) = (request.task, &session.connection);
    for record in &moved.records {
        insert_record(connection, task, record)?;
    }
    if let Some(record) = &moved.replaced {
        let StepKey { step, instance } = record.key;
        let sql = "DELETE FROM attempt WHERE task_id = ?1 AND step = ?2 AND instance = ?3 AND attempt = ?4";
        execute(connection, sql, params![blob(&task.0), step, instance, record.attempt])?;
        insert_record(connection, task, record)?;
    }
    if let OperatorAction::Amend { context } = &request.action {
        let sql = "UPDATE task SET context = ?2 WHERE id = ?1";
        execute(connection, sql, params![blob(&task.0), context.get()])?;
    }
    if let Some(state) = moved.state {
        set_state(connection, task, state, request.at)?;
    }
    if progress.state.is_over() {
        // Should the task be reopened, nothing of it is claimed any more.
        let sql = "UPDATE task SET worker_id = NULL, claimed = NULL WHERE id = ?1";
        execute(connection, sql, params![blob(&task.0)])?;
        let sql = "UPDATE attempt SET claimed = NULL WHERE task_id = ?1 AND claimed IS NOT NULL";
        execute(connection, sql, params![blob(&task.0)])?;
    }
    record(connection, task, &ActionRecord::new(request, moved.details))?;
    let state = progress.state;
    session.keep(progress)?;
    Ok(Acted::Done { state, revoked: moved.revoked })
}

fn record(connection: &Connection, task: TaskId, action: &ActionRecord) -> Result<()> {
    let ActionRecord { action, runs, by, reason, at, details } = action;
    let runs = serde_json::to_string(&StepKey::to_numbers(runs))
        .map_err(|error| unreadable("list of runs", error))?;
    let details = (!details.is_empty()).then(|| serde_json::to_string(details)).transpose();
    let details = details.map_err(|error| unreadable("record of an action", error))?;
    let sql = "INSERT INTO action (task_id, number, action, steps, by_whom, reason, at, details)
        VALUES (?1, (SELECT count(*) FROM action WHERE task_id = ?1) + 1, ?2, ?3, ?4, ?5, ?6, ?7)";
    execute(connection, sql, params![blob(&task.0), action, runs, by, reason, micros(*at), details])?;
    Ok(())
}

pub(crate) fn revoked(session: &mut Session, claims: &[Claim]) -> Result<Vec<Claim>> {
    let mut revoked = Vec::new();
    for claim in claims {
        let progress = session.take(claim.task)?;
        if !progress.as_ref().is_some_and(|progress| progress.holds(claim)) {
            revoked.push(*claim);
        }
        if let Some(progress) = progress {
            session.keep(progress)?;
        }
    }
    Ok(revoked)
}

/// Deletes those of these tasks that still meet the request. Returns their number.
pub(crate) fn prune(session: &mut Session, tasks: &[TaskId], request: &PruneRequest) -> Result<usize> {
    let delete = format!("DELETE FROM task WHERE id = ?1 AND {}", is_old(request));
    let mut pruned = 0;
    for id in tasks {
        let values = params![blob(&id.0), micros(request.settled_before)];
        if execute(&session.connection, &delete, values)? == 0 {
            continue;
        }
        for sql in [
            "DELETE FROM attempt WHERE task_id = ?1",
            "DELETE FROM step WHERE task_id = ?1",
            "DELETE FROM action WHERE task_id = ?1",
            "DELETE FROM tag WHERE task_id = ?1",
            "DELETE FROM identity WHERE task_id = ?1",
        ] {
            execute(&session.connection, sql, params![blob(&id.0)])?;
        }
        session.forget(*id);
        pruned += 1;
    }
    prune_programs(&session.connection)?;
    Ok(pruned)
}

/// Deletes the programs of forgotten workers once every task is deleted that was there when the worker was
/// first found to be forgotten: later ones it has recorded nothing of.
fn prune_programs(connection: &Connection) -> Result<()> {
    let forgotten = "worker_id NOT IN (SELECT id FROM worker)";
    let sql = format!(
        "DELETE FROM program
        WHERE {forgotten} AND last_task IS NOT NULL AND NOT EXISTS (SELECT 1 FROM task WHERE id <= last_task)"
    );
    execute(connection, &sql, &[])?;
    let sql = format!(
        "UPDATE program
        SET last_task = coalesce((SELECT max(id) FROM task), zeroblob(16))
        WHERE {forgotten} AND last_task IS NULL"
    );
    execute(connection, &sql, &[])?;
    Ok(())
}

/// The tasks that meet the request, the oldest first, from the one after `after` on.
pub(crate) fn old(
    connection: &Connection,
    after: Option<TaskId>,
    request: &PruneRequest,
) -> Result<Vec<TaskId>> {
    // Ids are ordered by the time of creation, and nothing settles before it is created.
    let sql =
        format!("SELECT id FROM task WHERE id > ?1 AND id < ?3 AND {} ORDER BY id LIMIT ?4", is_old(request));
    let after = after.map_or_else(Uuid::nil, |task| task.0);
    let newest = first_of(request.settled_before.as_millisecond());
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let values = params![blob(&after), micros(request.settled_before), blob(&newest), limit];
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values, |row| uuid(row, 0).map(TaskId))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

/// The SQL condition of the request, with the time as `?2`.
fn is_old(request: &PruneRequest) -> String {
    let states = request.states.iter().filter(|state| state.is_over());
    let states: Vec<String> = states.map(|state| format!("'{state}'")).collect();
    format!("settled_at < ?2 AND state IN ({})", states.join(", "))
}

/// The smallest id of a task that is created in the next millisecond.
fn first_of(millisecond: i64) -> Uuid {
    let millisecond = u128::try_from(millisecond + 1).unwrap_or_default();
    Uuid::from_u128(millisecond << 80)
}
