//! The workers of all processes, in the table `worker`. A worker is alive for as long as its last heartbeat,
//! by the database's clock, is younger than its lease.

use std::time::{Duration, Instant};

use tasker_store::{ProgramRecord, WorkerId, WorkerInfo, WorkerRecord};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient, Row};
use uuid::Uuid;

use crate::columns::Value;
use crate::database_clock;
use crate::error::PgResult;
use crate::limits;
use crate::own_workers::Heartbeat;
use crate::sql::statement;
use crate::values::{get, int, maybe_time, number, time};

/// Writes the heartbeats of workers, each of which makes its worker known if it is not. A process has one
/// worker, as a rule.
pub(crate) async fn beat(
    client: &impl GenericClient,
    schema: &str,
    heartbeats: &[Heartbeat],
    lease: Duration,
) -> Result<(), Error> {
    let lease = lease.as_secs_f64();
    let sql = statement!("heartbeat", schema);
    for Heartbeat { worker, info, running, clock } in heartbeats {
        let WorkerInfo { host, version, namespaces, callables, program, environment, .. } = &**info;
        let (process, handlers, concurrency) = (int(info.process), int(info.handlers), int(info.concurrency));
        let values: [Value<'_>; 12] = [
            (&worker.0, Type::UUID),
            (host, Type::TEXT),
            (&process, Type::INT4),
            (version, Type::TEXT),
            (namespaces, Type::TEXT_ARRAY),
            (&handlers, Type::INT4),
            (&concurrency, Type::INT4),
            (running, Type::INT4),
            (&lease, Type::FLOAT8),
            (callables, Type::TEXT_ARRAY),
            (program, Type::TEXT),
            (environment, Type::TEXT),
        ];
        let asked = Instant::now();
        let rows = client.query_typed(&sql, &values).await?;
        database_clock::tell(clock, &rows, asked);
    }
    Ok(())
}

/// All workers that have a row.
pub(crate) async fn records(client: &impl GenericClient, schema: &str) -> PgResult<Vec<WorkerRecord>> {
    let rows = client.query_typed(&statement!("workers", schema), &[]).await?;
    let record = |row: &Row| {
        let info = WorkerInfo::new(
            get::<String>(row, "host")?,
            number(row, "process")?,
            get::<String>(row, "version")?,
        );
        let info = info
            .namespaces(get(row, "namespaces")?)
            .handlers(number(row, "handlers")?)
            .concurrency(number(row, "concurrency")?)
            .callables(get(row, "callables")?)
            .program(get(row, "program")?)
            .environment(get(row, "environment")?);
        Ok(WorkerRecord::new(WorkerId(get(row, "id")?), info, time(row, "started_at")?)
            .running(number(row, "running")?)
            .last_beat(maybe_time(row, "last_beat")?)
            .alive(get(row, "is_alive")?))
    };
    rows.iter().map(record).collect()
}

/// Keeps what program a worker is part of, which outlives its row.
pub(crate) async fn put_program(
    client: &impl GenericClient,
    schema: &str,
    worker: WorkerId,
    info: &WorkerInfo,
) -> Result<(), Error> {
    let WorkerInfo { program, version, .. } = info;
    let values: [Value<'_>; 3] = [(&worker.0, Type::UUID), (program, Type::TEXT), (version, Type::TEXT)];
    client.query_typed(&statement!("put_program", schema), &values).await.map(drop)
}

/// The program of a worker.
pub(crate) async fn program(
    client: &impl GenericClient,
    schema: &str,
    worker: WorkerId,
) -> PgResult<Option<ProgramRecord>> {
    let rows = client.query_typed(&statement!("program", schema), &[(&worker.0, Type::UUID)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let info = WorkerInfo::new("", 0, get::<String>(row, "tasker")?).program(get(row, "program")?);
    Ok(Some(ProgramRecord::new(worker, &info, time(row, "started_at")?)))
}

/// Whether a worker that ends leaves operations in doubt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Departure {
    /// Every operation in its name was answered.
    Clean,
    /// An operation in its name may still be done.
    InDoubt,
}

/// Makes workers dead at once, without waiting for their leases to run out.
pub(crate) async fn end(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
    departure: Departure,
) -> Result<(), Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = match departure {
        Departure::Clean => statement!("end_workers", schema),
        Departure::InDoubt => statement!("end_workers_in_doubt", schema),
    };
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    limits::free_permits(client, schema, workers).await
}

/// Workers whose lease has run out, but for those that had no claims when they were looked at not long ago.
pub(crate) async fn dead(client: &impl GenericClient, schema: &str) -> PgResult<Vec<WorkerId>> {
    let rows = client.query_typed(&statement!("dead_workers", schema), &[]).await?;
    Ok(rows.iter().map(|row| get(row, "id").map(WorkerId)).collect::<Result<_, _>>()?)
}

/// Notes that these dead workers have no claims, and deletes the rows of those that have ended or have been
/// dead for long.
pub(crate) async fn forget(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<(), Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    client.query_typed(&statement!("forget_workers", schema), &[(&ids, Type::UUID_ARRAY)]).await?;
    limits::free_permits(client, schema, workers).await
}
