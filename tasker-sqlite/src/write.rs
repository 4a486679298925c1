//! The operations that write, inside a transaction that the caller begins and commits.

use jiff::Timestamp;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tasker_store::progress::Progress;
use tasker_store::{
    AttemptRecord, Claim, ClaimRequest, Claimed, Created, Ending, Finished, FinishedAttempt, Json,
    NewTaskRecord, Origin, StepKey, StoreError, TaskId, TaskState, TemplateId, TemplateRecord, WorkerId,
    WorkerInfo,
};

use crate::error::{Result, unreadable};
use crate::session::Session;
use crate::values::{any_json, blob, key, micros, timestamp, uuid};
use crate::{load, own_writes, read};

pub(crate) fn execute(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

pub(crate) fn register_worker(
    session: &mut Session,
    worker: WorkerId,
    info: &WorkerInfo,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO worker (
            id, process, started_at, host, version, namespaces, handlers, concurrency, callables, program,
            environment
        )
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let namespaces = info.namespaces.as_ref().map(serde_json::to_string).transpose();
    let namespaces = namespaces.map_err(|error| unreadable("list of namespaces", error))?;
    let callables = info.callables.as_ref().map(serde_json::to_string).transpose();
    let callables = callables.map_err(|error| unreadable("list of callables", error))?;
    let WorkerInfo { host, process, version, handlers, concurrency, program, environment, .. } = info;
    let (id, now) = (blob(&worker.0), micros(now));
    let values = params![
        id,
        process,
        now,
        host,
        version,
        namespaces,
        handlers,
        concurrency,
        callables,
        program,
        environment
    ];
    execute(&session.connection, sql, values)?;
    let sql = "INSERT INTO program (worker_id, program, tasker, started_at)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO NOTHING";
    execute(&session.connection, sql, params![id, program, version, now])?;
    Ok(())
}

/// Forgets the dead workers that have no claims, and returns them. A dead worker with claims keeps its row,
/// by which others find the claims.
pub(crate) fn forget_workers(
    session: &mut Session,
    is_dead: &impl Fn(WorkerId) -> bool,
) -> Result<Vec<WorkerId>> {
    let connection = &session.connection;
    let dead: Vec<_> = read::workers(connection)?.into_iter().filter(|worker| is_dead(*worker)).collect();
    if dead.is_empty() {
        return Ok(dead);
    }
    let held: std::collections::HashSet<_> =
        read::claims_of(connection, &dead)?.into_iter().map(|claim| claim.worker).collect();
    let forgotten: Vec<_> = dead.into_iter().filter(|worker| !held.contains(worker)).collect();
    for worker in &forgotten {
        execute(connection, "DELETE FROM permit WHERE worker_id = ?1", params![blob(&worker.0)])?;
        execute(connection, "DELETE FROM worker WHERE id = ?1", params![blob(&worker.0)])?;
    }
    Ok(forgotten)
}

pub(crate) fn put_template(session: &mut Session, template: &TemplateRecord) -> Result<()> {
    let sql = "INSERT INTO template (id, namespace, name, version, snapshot)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    let TemplateRecord { id, namespace, name, version, snapshot } = template;
    execute(&session.connection, sql, params![blob(&id.0), namespace, name, version, snapshot])?;
    Ok(())
}

pub(crate) fn create_task(
    session: &mut Session,
    task: &NewTaskRecord,
    request: &ClaimRequest,
) -> Result<Created> {
    if !session.has_template(task.template)? {
        return Err(StoreError::NoTemplate(task.template).into());
    }
    if let Some(duplicate) = duplicate(&session.connection, task)? {
        return Ok(duplicate);
    }
    let mut progress = Progress::new(task.id, task.template, task.priority);
    let moved = progress.start(&task.graph, task.run_at, task.created_at, request);
    let claimed = load::text(&moved.listed());
    let worker = claimed.as_ref().map(|_| blob(&request.worker.0));
    let origin = if task.origin == Origin::default() {
        None
    } else {
        Some(serde_json::to_string(&task.origin).map_err(|error| unreadable("origin", error))?)
    };
    let sql = "INSERT INTO task (
            id, template_id, state, correlation_id, context, created_at, priority, worker_id, claimed, origin
        )
        VALUES (?1, ?2, 'in_progress', ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![
        blob(&task.id.0),
        blob(&task.template.0),
        blob(&task.correlation_id),
        task.context.get(),
        micros(task.created_at),
        task.priority,
        worker,
        claimed,
        origin
    ];
    execute(&session.connection, sql, values)?;
    for tag in &task.origin.tags {
        let sql = "INSERT INTO tag (tag, task_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        execute(&session.connection, sql, params![tag, blob(&task.id.0)])?;
    }
    session.keep(progress)?;
    Ok(Created::New(moved.claimed))
}

/// The task of the same identity, if there is one. If not, records the identity as this task's.
fn duplicate(connection: &Connection, task: &NewTaskRecord) -> Result<Option<Created>> {
    let Some(identity) = &task.identity else { return Ok(None) };
    let sql = "INSERT INTO identity (hash, task_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if execute(connection, sql, params![identity.as_slice(), blob(&task.id.0)])? > 0 {
        return Ok(None);
    }
    let sql = "SELECT task.id, task.context
        FROM identity
        JOIN task ON task.id = identity.task_id
        WHERE identity.hash = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<(_, Option<Json>)> = statement
        .query_row([identity.as_slice()], |row| Ok((uuid(row, 0)?, any_json(row, 1)?)))
        .optional()?;
    let Some((id, Some(context))) = found else {
        return Err(unreadable("task identity", task.id));
    };
    Ok(Some(Created::Duplicate { id: TaskId(id), context }))
}

pub(crate) fn claim(session: &mut Session, request: &ClaimRequest) -> Result<Claimed> {
    let sql = "UPDATE step SET due_at = NULL WHERE due_at <= ?1";
    execute(&session.connection, sql, params![micros(request.now)])?;
    let mut claimed = Claimed::default();
    claim_ready(session, request, &mut claimed)?;
    let sql = "SELECT min(due_at) FROM step WHERE due_at IS NOT NULL";
    let next: Option<i64> = session.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    claimed.next_due = next.map(timestamp).transpose()?;
    Ok(claimed)
}

fn claim_ready(session: &mut Session, request: &ClaimRequest, claimed: &mut Claimed) -> Result<()> {
    let limit = request.limit.saturating_sub(claimed.claims.len());
    let mut ready = Vec::new();
    {
        let served = request.namespaces.as_deref().map(serde_json::to_string).transpose();
        let served = served.map_err(|error| unreadable("list of namespaces", error))?;
        let of_served = match served {
            Some(_) => {
                "AND template_id IN (
                    SELECT id FROM template WHERE namespace IN (SELECT value FROM json_each(?1))
                )"
            }
            None => "",
        };
        let sql = format!(
            "SELECT task_id, step, instance, template_id, attempts, attempts_before_reset
            FROM step
            WHERE rank IS NOT NULL AND due_at IS NULL {of_served}
            ORDER BY rank, task_id, step, instance"
        );
        let mut statement = session.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(served))?;
        while let Some(row) = rows.next()? {
            // A row that cannot be read keeps no other from being claimed; whoever looks at its task is told.
            let Ok(claim) = ready_claim(row, request) else { continue };
            if !request.takes(claim.template, claim.key.step) {
                continue;
            }
            if ready.len() == limit {
                claimed.more = true;
                break;
            }
            ready.push(claim);
        }
    }
    for claim in ready {
        let claim = match session.known(claim.task) {
            Some(mut progress) => {
                let claim = progress.claim(claim.key, request.worker, request.now);
                session.keep(progress)?;
                claim
            }
            None => {
                let sql = "UPDATE step
                    SET state = 'in_progress', attempts = ?4, rank = NULL, worker_id = ?5, claimed_at = ?6
                    WHERE task_id = ?1 AND step = ?2 AND instance = ?3";
                let (task, worker) = (blob(&claim.task.0), blob(&claim.worker.0));
                let Claim { key: StepKey { step, instance }, attempt, .. } = claim;
                let values = params![task, step, instance, attempt, worker, micros(request.now)];
                execute(&session.connection, sql, values)?;
                claim
            }
        };
        claimed.claims.push(claim);
    }
    Ok(())
}

fn ready_claim(row: &Row<'_>, request: &ClaimRequest) -> rusqlite::Result<Claim> {
    Ok(Claim {
        task: TaskId(uuid(row, 0)?),
        template: TemplateId(uuid(row, 3)?),
        key: key(row, 1)?,
        attempt: row.get::<_, u32>(4)? + 1,
        attempts_before_reset: row.get(5)?,
        worker: request.worker,
        claimed_at: request.now,
    })
}

pub(crate) fn finish(
    session: &mut Session,
    attempt: &FinishedAttempt,
    request: &ClaimRequest,
) -> Result<Finished> {
    let Some(mut progress) = session.take(attempt.claim.task)? else { return Ok(Finished::Stale) };
    let Some(moved) = progress.finish(attempt, request) else {
        session.keep(progress)?;
        return Ok(Finished::Stale);
    };
    let claimed = load::text(&moved.listed());
    match &attempt.ending {
        Ending::Complete { result, writes, .. } => {
            own_writes::run(&session.connection, writes)?;
            insert_attempt(&session.connection, attempt, "complete", Some(result.get()), None, claimed)?;
        }
        Ending::Failed { outcome, error, .. } => {
            let error = serde_json::to_string(error).map_err(|error| unreadable("error record", error))?;
            insert_attempt(&session.connection, attempt, outcome.as_str(), None, Some(&error), claimed)?;
        }
    }
    for record in &moved.records {
        insert_record(&session.connection, progress.task, record)?;
    }
    if let Some(state) = moved.state {
        set_state(&session.connection, progress.task, state, attempt.finished_at)?;
    }
    session.keep(progress)?;
    let mut claimed = moved.claimed;
    if request.any {
        claim_ready(session, request, &mut claimed)?;
    }
    Ok(Finished::Recorded { claimed, settled: moved.state.filter(|state| state.is_settled()) })
}

pub(crate) fn set_state(
    connection: &Connection,
    task: TaskId,
    state: TaskState,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE task SET state = ?2, settled_at = ?3 WHERE id = ?1";
    let settled_at = state.is_settled().then(|| micros(now));
    execute(connection, sql, params![blob(&task.0), state.as_str(), settled_at])?;
    Ok(())
}

pub(crate) fn release(
    session: &mut Session,
    claims: &[Claim],
    due_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    for claim in claims {
        if let Some(mut progress) = session.take(claim.task)? {
            progress.release(claim, due_at, now);
            session.keep(progress)?;
        }
    }
    Ok(())
}

const INSERT_ATTEMPT: &str = "INSERT INTO attempt
    (task_id, step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error, claimed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

fn insert_attempt(
    connection: &Connection,
    attempt: &FinishedAttempt,
    outcome: &str,
    result: Option<&str>,
    error: Option<&str>,
    claimed: Option<String>,
) -> Result<()> {
    let FinishedAttempt { claim, started_at, finished_at, .. } = attempt;
    let (task, worker) = (blob(&claim.task.0), blob(&claim.worker.0));
    let times = (micros(*started_at), micros(*finished_at));
    let StepKey { step, instance } = claim.key;
    let values = params![
        task,
        step,
        instance,
        claim.attempt,
        worker,
        times.0,
        times.1,
        outcome,
        result,
        error,
        claimed
    ];
    execute(connection, INSERT_ATTEMPT, values)?;
    Ok(())
}

/// Records an attempt that an operator made or ended.
pub(crate) fn insert_record(connection: &Connection, task: TaskId, record: &AttemptRecord) -> Result<()> {
    let error = record.error.as_ref().map(serde_json::to_string).transpose();
    let error = error.map_err(|error| unreadable("error record", error))?;
    let values = params![
        blob(&task.0),
        record.key.step,
        record.key.instance,
        record.attempt,
        blob(&record.worker.0),
        micros(record.started_at),
        micros(record.finished_at),
        record.outcome.as_str(),
        record.result.as_ref().map(|result| result.get()),
        error,
        None::<String>
    ];
    execute(connection, INSERT_ATTEMPT, values)?;
    Ok(())
}
