//! Who is alive: each worker has a row, and says by the database's clock that it is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasker_store::{Claim, TaskId, WorkerId, WorkerInfo, WorkerRecord};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::held::Held;
use crate::limits;
use crate::load::{self, Hold};
use crate::session::Trouble;
use crate::values::{get, int, maybe_time, number, time};

/// A dead worker's row stays this long: one that was only stalled finds itself again, and a statement
/// of its that was on its way still finds its row.
const KEPT: &str = "1 hour";
/// Whether a row of `worker` is that of one that is alive.
pub(crate) const IS_ALIVE: &str = "worker.beat_at >= clock_timestamp() - worker.lease";

/// For so many of its leases a dead worker that holds nothing is left alone.
const LEFT_ALONE: u32 = 5;

/// The workers of this process that are alive, with what they say of themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    infos: Arc<Mutex<HashMap<WorkerId, Arc<WorkerInfo>>>>,
    pub(crate) held: Held,
}

/// What a worker says when it says that it is alive.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    worker: WorkerId,
    info: Arc<WorkerInfo>,
    running: i32,
}

impl Own {
    pub(crate) fn insert(&self, worker: WorkerId, info: WorkerInfo) {
        self.infos().insert(worker, Arc::new(info));
    }

    pub(crate) fn remove(&self, worker: WorkerId) {
        self.infos().remove(&worker);
    }

    pub(crate) fn beats(&self) -> Vec<Beat> {
        let infos: Vec<_> = self.infos().iter().map(|(worker, info)| (*worker, Arc::clone(info))).collect();
        infos.into_iter().map(|(worker, info)| self.beat(worker, info)).collect()
    }

    pub(crate) fn beat(&self, worker: WorkerId, info: Arc<WorkerInfo>) -> Beat {
        let running = i32::try_from(self.held.of(worker)).unwrap_or(i32::MAX);
        Beat { worker, info, running }
    }

    fn infos(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<WorkerInfo>>> {
        self.infos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that workers are alive, whether they are known yet or not. A process has one, as a rule.
pub(crate) async fn beat(
    client: &impl GenericClient,
    schema: &str,
    beats: &[Beat],
    lease: Duration,
) -> Result<(), tokio_postgres::Error> {
    let lease = lease.as_secs_f64();
    let sql = format!(
        "INSERT INTO {schema}.worker (
            id, host, process, version, namespaces, handlers, concurrency, running, lease, started_at, beat_at
        )
        VALUES (
            $1, $2, $3, $4, $5, $6, $7, $8, make_interval(secs => $9), clock_timestamp(), clock_timestamp()
        )
        ON CONFLICT (id) DO UPDATE SET running = excluded.running, beat_at = clock_timestamp(), idle_at = NULL"
    );
    for Beat { worker, info, running } in beats {
        let WorkerInfo { host, version, namespaces, .. } = &**info;
        let (process, handlers, concurrency) = (int(info.process), int(info.handlers), int(info.concurrency));
        let values: [(&(dyn ToSql + Sync), Type); 9] = [
            (&worker.0, Type::UUID),
            (host, Type::TEXT),
            (&process, Type::INT4),
            (version, Type::TEXT),
            (namespaces, Type::TEXT_ARRAY),
            (&handlers, Type::INT4),
            (&concurrency, Type::INT4),
            (running, Type::INT4),
            (&lease, Type::FLOAT8),
        ];
        client.query_typed(&sql, &values).await?;
    }
    Ok(())
}

/// The workers as others see them.
pub(crate) async fn records(client: &impl GenericClient, schema: &str) -> Result<Vec<WorkerRecord>, Trouble> {
    let sql = format!(
        "SELECT
            id, host, process, version, namespaces, handlers, concurrency, running, started_at,
            nullif(beat_at, '-infinity'), {IS_ALIVE}
        FROM {schema}.worker
        ORDER BY id"
    );
    let rows = client.query_typed(&sql, &[]).await?;
    let record = |row: &Row| {
        let info = WorkerInfo::new(get::<String>(row, 1)?, number(row, 2)?, get::<String>(row, 3)?)
            .namespaces(get(row, 4)?)
            .handlers(number(row, 5)?)
            .concurrency(number(row, 6)?);
        Ok(WorkerRecord::new(WorkerId(get(row, 0)?), info, time(row, 8)?)
            .running(number(row, 7)?)
            .last_beat(maybe_time(row, 9)?)
            .alive(get(row, 10)?))
    };
    rows.iter().map(record).collect()
}

/// How a worker ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// It has told everything.
    Done,
    /// Something that was asked for in its name may still be done.
    Doubtful,
}

/// Ends workers at once, as if they had not been heard of for longer than their lease.
pub(crate) async fn end(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
    end: End,
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let last = match end {
        End::Done => "'-infinity'",
        End::Doubtful => "clock_timestamp() - lease - interval '1 second'",
    };
    let sql = format!("UPDATE {schema}.worker SET beat_at = {last} WHERE id = ANY ($1)");
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    limits::give_back(client, schema, workers).await
}

/// Workers that have not been heard of for as long as their lease, but for those that were found to hold
/// nothing a moment ago.
pub(crate) async fn dead(client: &impl GenericClient, schema: &str) -> Result<Vec<WorkerId>, Trouble> {
    let sql = format!(
        "SELECT id
        FROM {schema}.worker
        WHERE NOT ({IS_ALIVE})
        AND (idle_at IS NULL OR idle_at < clock_timestamp() - {LEFT_ALONE} * lease)"
    );
    let rows = client.query_typed(&sql, &[]).await?;
    Ok(rows.iter().map(|row| get(row, 0).map(WorkerId)).collect::<Result<_, _>>()?)
}

/// Notes that nothing is claimed for these workers any more, and forgets those that have ended or been
/// silent for long.
pub(crate) async fn forget(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = format!(
        "WITH old AS (
            DELETE FROM {schema}.worker
            WHERE id = ANY ($1) AND beat_at < clock_timestamp() - interval '{KEPT}'
            RETURNING id
        )
        UPDATE {schema}.worker
        SET idle_at = clock_timestamp()
        WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM old) AND NOT ({IS_ALIVE})"
    );
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    limits::give_back(client, schema, workers).await
}

/// What is claimed in the names of these workers. Asked only after a worker has died or a connection
/// was lost: it reads all that is unfinished.
pub(crate) async fn claims_of(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<Vec<Claim>, Trouble> {
    if workers.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = format!(
        "SELECT task_id FROM {schema}.step WHERE worker_id = ANY ($1)
        UNION
        SELECT id FROM {schema}.task
        WHERE state = 'in_progress' AND state <> 'complete' AND worker_id = ANY ($1)
        UNION
        SELECT task.id
        FROM {schema}.task
        JOIN {schema}.attempt ON attempt.task_id = task.id
        WHERE task.state = 'in_progress' AND task.state <> 'complete'
        AND attempt.worker_id = ANY ($1) AND attempt.claimed IS NOT NULL"
    );
    let rows = client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    let tasks = rows.iter().map(|row| get(row, 0).map(TaskId)).collect::<Result<Vec<_>, _>>()?;
    let mut claims = Vec::new();
    // What is read of a task may be a moment older than the rest of it: an operation on a claim that
    // does not hold changes nothing.
    for tasks in tasks.chunks(500) {
        let loaded = load::ask(client, schema, tasks, &[], Hold::No).await?.read(tasks)?;
        for (task, loaded) in loaded {
            match loaded {
                Ok(loaded) => {
                    claims.extend(loaded.progress.claims().filter(|claim| workers.contains(&claim.worker)));
                }
                Err(error) => {
                    tracing::error!(%task, %error, "a task cannot be read; its claims are left alone")
                }
            }
        }
    }
    Ok(claims)
}
