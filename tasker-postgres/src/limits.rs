//! Limits of the whole fleet, and the permits that workers have under them. Each operation is a transaction
//! of its own: a worker asks for all its permits at once, at most a few times a second.

use std::time::Duration;

use tasker_store::{
    Decision, FleetLimit, Holder, Ledger, LimitRecord, LimitScope, PermitDemand, PermitGrants, PermitRequest,
    Rate, StoreError, WorkerId,
};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, GenericClient, Row, Transaction};
use uuid::Uuid;

use crate::columns::{Rows, Value, rows};
use crate::error::PgResult;
use crate::settings::ConnectionSettings;
use crate::sql::{statement, with_columns};
use crate::values::{Result, Time, get, int, maybe_time, number, time, unreadable};

rows! {
    /// What was decided for one limit: the permits of the worker that asked, and the limit's next start.
    DecisionRow in DecisionRows {
        scope: &'static str => "text";
        name: String => "text";
        worker_id: Uuid => "uuid";
        held: i32 => "int4";
        wanted: i32 => "int4";
        starved_since: Option<Time> => "timestamptz";
        next_start: Option<Time> => "timestamptz";
    }
}

pub(crate) async fn set(client: &impl GenericClient, schema: &str, limit: &FleetLimit) -> PgResult<()> {
    let (word, name) = (limit.scope.word(), limit.scope.name());
    let every = limit.rate.map(|rate| i64::try_from(rate.every().as_micros()).unwrap_or(i64::MAX));
    let concurrency = limit.concurrency.map(int);
    let values: [Value<'_>; 4] =
        [(&word, Type::TEXT), (&name, Type::TEXT), (&concurrency, Type::INT4), (&every, Type::INT8)];
    client.query_typed(&statement!("set_limit", schema), &values).await?;
    Ok(())
}

/// Removes a limit with its permits. `false` when there was none.
pub(crate) async fn remove(
    client: &mut Client,
    settings: &ConnectionSettings,
    schema: &str,
    scope: &LimitScope,
) -> PgResult<bool> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(&settings.bound_transaction()).await?;
    let (word, name) = (scope.word(), scope.name());
    let values: [Value<'_>; 2] = [(&word, Type::TEXT), (&name, Type::TEXT)];
    let removed = transaction.query_typed(&statement!("remove_limit", schema), &values).await?;
    // A later statement: it sees the permits that were granted while the first waited for the limit's lock.
    transaction.query_typed(&statement!("remove_permits", schema), &values).await?;
    transaction.commit().await?;
    Ok(!removed.is_empty())
}

async fn all(client: &impl GenericClient, schema: &str) -> PgResult<Vec<FleetLimit>> {
    let rows = client.query_typed(&statement!("limits", schema), &[]).await?;
    Ok(rows.iter().map(limit).collect::<Result<_>>()?)
}

/// All limits, with the permits of workers that are alive.
pub(crate) async fn records(client: &impl GenericClient, schema: &str) -> PgResult<Vec<LimitRecord>> {
    let limits = client.query_typed(&statement!("limits", schema), &[]).await?;
    let rows = client.query_typed(&statement!("permits", schema), &[]).await?;
    let holders = rows.iter().map(holder).collect::<Result<Vec<_>>>()?;
    let record = |row: &Row| {
        let limit = limit(row)?;
        let own = holders.iter().filter(|(scope, _)| *scope == limit.scope).map(|(_, holder)| *holder);
        Ok(LimitRecord::new(limit.clone(), own).next_start(maybe_time(row, "next_start")?))
    };
    Ok(limits.iter().map(record).collect::<Result<_>>()?)
}

/// Decides what a worker gets under each limit that it asks about, with these limits' rows locked.
pub(crate) async fn permits(
    client: &mut Client,
    settings: &ConnectionSettings,
    schema: &str,
    request: &PermitRequest,
) -> PgResult<PermitGrants> {
    if request.demands.is_empty() {
        return Ok(PermitGrants { limits: all(client, schema).await?, granted: Vec::new(), lasts: None });
    }
    let (scopes, names): (Vec<&str>, Vec<&str>) =
        request.demands.iter().map(|demand| (demand.scope.word(), demand.scope.name())).unzip();
    let asked: [Value<'_>; 2] = [(&scopes, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let transaction = client.transaction().await?;
    // A process that stalls in here delays all other workers that ask, for less than a lease.
    let max = (settings.lease / 4).as_millis();
    let timeouts =
        format!("SET LOCAL idle_in_transaction_session_timeout = {max}; SET LOCAL lock_timeout = {max}");
    transaction.batch_execute(&timeouts).await?;
    let locked = transaction.query_typed(&statement!("lock_limits", schema), &asked).await?;
    let situation = situation(&transaction, schema, request.worker, &asked).await?;
    let mut decisions = Vec::new();
    for row in &locked {
        let (limit, next_start) = (limit(row)?, maybe_time(row, "next_start")?);
        let demand = request.demands.iter().find(|demand| demand.scope == limit.scope);
        if let Some(demand) = demand {
            decisions.push(situation.decide(&limit, next_start, request.worker, demand));
        }
    }
    write(&transaction, schema, &decisions).await?;
    let limits = all(&transaction, schema).await?;
    transaction.commit().await?;
    Ok(PermitGrants {
        limits,
        granted: decisions.into_iter().map(|decision| decision.granted).collect(),
        lasts: Some(situation.lease_left.unwrap_or_default()),
    })
}

/// What decisions are made by, beside the limits.
struct Situation {
    /// The permits of workers that are alive.
    holders: Vec<(LimitScope, Holder)>,
    now: jiff::Timestamp,
    /// How long the worker that asks is still alive without another heartbeat; `None` when it counts as dead.
    lease_left: Option<Duration>,
}

/// Reads the situation once the limits are locked, with later statements: they see what others wrote while
/// the locks were waited for.
async fn situation(
    transaction: &Transaction<'_>,
    schema: &str,
    worker: WorkerId,
    asked: &[Value<'_>],
) -> PgResult<Situation> {
    let permits =
        statement!("permits", schema) + " AND (permit.scope, permit.name) IN (SELECT * FROM unnest($1, $2))";
    let lease_left = statement!("lease_left", schema);
    let own: [Value<'_>; 1] = [(&worker.0, Type::UUID)];
    // One behind the other, without waiting.
    let (permits, lease_left) = tokio::try_join!(
        transaction.query_typed(&permits, asked),
        transaction.query_typed(&lease_left, &own)
    )?;
    let holders = permits.iter().map(holder).collect::<Result<_>>()?;
    let Some(row) = lease_left.first() else { return Err(unreadable("time", "no row").into()) };
    let seconds = get::<Option<f64>>(row, "lease_left")?;
    let lease_left = seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Situation { holders, now: time(row, "now")?, lease_left })
}

impl Situation {
    fn decide(
        &self,
        limit: &FleetLimit,
        next_start: Option<jiff::Timestamp>,
        worker: WorkerId,
        demand: &PermitDemand,
    ) -> Decision {
        let of_limit = self.holders.iter().filter(|(scope, _)| *scope == limit.scope);
        let holders: Vec<Holder> = of_limit.map(|(_, holder)| *holder).collect();
        let ledger = Ledger { limit, holders: &holders, next_start, now: self.now };
        // Others do not count the permits of a worker that counts as dead: until its next heartbeat it gets
        // nothing new.
        if self.lease_left.is_some() {
            ledger.decide(worker, demand)
        } else {
            ledger.decide(worker, &demand.but_nothing_new())
        }
    }
}

async fn write(client: &impl GenericClient, schema: &str, decisions: &[Decision]) -> PgResult<()> {
    let mut rows = DecisionRows::default();
    for Decision { granted, holder, next_start } in decisions {
        rows.push(DecisionRow {
            scope: granted.scope.word(),
            name: granted.scope.name().to_owned(),
            worker_id: holder.worker.0,
            held: int(holder.held),
            wanted: int(holder.wanted),
            starved_since: holder.starved_since.map(Time),
            next_start: next_start.map(Time),
        });
    }
    let sql = with_columns(&statement!("write_permits", schema), DecisionRows::COLUMNS);
    client.query_typed(&sql, &rows.arrays()).await?;
    Ok(())
}

/// Frees the permits of these workers, unless they are alive.
pub(crate) async fn free_permits(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> std::result::Result<(), Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    client.query_typed(&statement!("free_permits", schema), &[(&ids, Type::UUID_ARRAY)]).await.map(drop)
}

fn scope(row: &Row) -> Result<LimitScope> {
    let word: String = get(row, "scope")?;
    LimitScope::of(&word, get(row, "name")?).ok_or_else(|| unreadable("scope of a limit", &word))
}

fn limit(row: &Row) -> Result<FleetLimit> {
    let rate = |every: i64| -> std::result::Result<Rate, StoreError> {
        let span = u64::try_from(every).ok().map(Duration::from_micros);
        span.and_then(Rate::spaced).ok_or_else(|| unreadable("rate of a limit", every))
    };
    let mut limit = FleetLimit::new(scope(row)?);
    limit.concurrency =
        get::<Option<i32>>(row, "concurrency")?.map(|number| u32::try_from(number).unwrap_or(0));
    limit.rate = get::<Option<i64>>(row, "every")?.map(rate).transpose()?;
    Ok(limit)
}

fn holder(row: &Row) -> Result<(LimitScope, Holder)> {
    let holder = Holder {
        worker: WorkerId(get(row, "worker_id")?),
        held: number(row, "held")?,
        wanted: number(row, "wanted")?,
        starved_since: maybe_time(row, "starved_since")?,
    };
    Ok((scope(row)?, holder))
}
