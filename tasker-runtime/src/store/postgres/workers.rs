//! Who is alive: each worker has a row, and says by the database's clock that it is there.

use std::time::Duration;

use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::id::{TaskId, WorkerId};
use crate::store::Claim;
use crate::store::postgres::load::{self, Hold};
use crate::store::postgres::session::Trouble;
use crate::store::postgres::values::get;

/// A dead worker's row stays this long: one that was only stalled finds itself again.
const KEPT: &str = "1 hour";

/// Says that workers are alive, whether they are known yet or not.
pub(super) async fn beat(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
    lease: Duration,
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let host = host();
    let process = i32::try_from(std::process::id()).unwrap_or_default();
    let lease = lease.as_secs_f64();
    let sql = format!(
        "INSERT INTO {schema}.worker (id, host, process, version, lease, started_at, beat_at)
        SELECT id, $2, $3, $4, make_interval(secs => $5), clock_timestamp(), clock_timestamp()
        FROM unnest($1::uuid[]) AS own (id)
        ORDER BY id
        ON CONFLICT (id) DO UPDATE SET beat_at = clock_timestamp()"
    );
    let values: [(&(dyn ToSql + Sync), Type); 5] = [
        (&ids, Type::UUID_ARRAY),
        (&host, Type::TEXT),
        (&process, Type::INT4),
        (&env!("CARGO_PKG_VERSION"), Type::TEXT),
        (&lease, Type::FLOAT8),
    ];
    client.query_typed(&sql, &values).await.map(drop)
}

/// The name of this machine.
fn host() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    name.or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned()))
        .unwrap_or_default()
}

/// Ends workers at once, as if they had not been heard of for a long time.
pub(super) async fn end(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = format!("UPDATE {schema}.worker SET beat_at = '-infinity' WHERE id = ANY ($1)");
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await.map(drop)
}

/// Workers that have not been heard of for as long as their lease.
pub(super) async fn dead(client: &impl GenericClient, schema: &str) -> Result<Vec<WorkerId>, Trouble> {
    let sql = format!("SELECT id FROM {schema}.worker WHERE beat_at < clock_timestamp() - lease");
    let rows = client.query_typed(&sql, &[]).await?;
    Ok(rows.iter().map(|row| get(row, 0).map(WorkerId)).collect::<Result<_, _>>()?)
}

/// Forgets workers that nothing is claimed for any more, once they have ended or been silent for long.
pub(super) async fn forget(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = format!(
        "DELETE FROM {schema}.worker WHERE id = ANY ($1) AND beat_at < clock_timestamp() - interval '{KEPT}'"
    );
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await.map(drop)
}

/// What is claimed in the names of these workers. Asked only after a worker has died or a connection
/// was lost: it reads all that is unfinished.
pub(super) async fn claims_of(
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
