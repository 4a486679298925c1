//! Limits that hold for all workers together. Transactions of their own: a worker asks for permits in
//! bulk, a few times a second at most.

use std::time::Duration;

use tasker_store::{
    Decision, FleetLimit, Holder, Ledger, LimitRecord, LimitScope, PermitGrants, PermitRequest, Rate,
    WorkerId,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, GenericClient, Row};
use uuid::Uuid;

use crate::session::Trouble;
use crate::settings::Settings;
use crate::values::{Time, get, int, maybe_time, number, time, unreadable};
use crate::workers::IS_ALIVE;

type Answer<T> = Result<T, Trouble>;

pub(crate) async fn set(client: &impl GenericClient, schema: &str, limit: &FleetLimit) -> Answer<()> {
    let sql = format!(
        "INSERT INTO {schema}.fleet_limit (scope, name, concurrency, every)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (scope, name) DO UPDATE SET concurrency = excluded.concurrency, every = excluded.every"
    );
    let (word, name) = (limit.scope.word(), limit.scope.name());
    let every = limit.rate.map(|rate| i64::try_from(rate.every().as_micros()).unwrap_or(i64::MAX));
    let concurrency = limit.concurrency.map(int);
    let values: [(&(dyn ToSql + Sync), Type); 4] =
        [(&word, Type::TEXT), (&name, Type::TEXT), (&concurrency, Type::INT4), (&every, Type::INT8)];
    client.query_typed(&sql, &values).await?;
    Ok(())
}

/// Whether there was one.
pub(crate) async fn remove(
    client: &mut Client,
    settings: &Settings,
    schema: &str,
    scope: &LimitScope,
) -> Answer<bool> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(&settings.bound_transaction()).await?;
    let (word, name) = (scope.word(), scope.name());
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&word, Type::TEXT), (&name, Type::TEXT)];
    let sql = format!("DELETE FROM {schema}.fleet_limit WHERE scope = $1 AND name = $2 RETURNING scope");
    let removed = transaction.query_typed(&sql, &values).await?;
    // Afterwards: what somebody was granted while we waited for the limit's lock is seen only now.
    let sql = format!("DELETE FROM {schema}.permit WHERE scope = $1 AND name = $2");
    transaction.query_typed(&sql, &values).await?;
    transaction.commit().await?;
    Ok(!removed.is_empty())
}

async fn all(client: &impl GenericClient, schema: &str) -> Answer<Vec<FleetLimit>> {
    let sql =
        format!("SELECT scope, name, concurrency, every FROM {schema}.fleet_limit ORDER BY scope, name");
    let rows = client.query_typed(&sql, &[]).await?;
    rows.iter().map(limit).collect()
}

/// PermitGrants that count: those of workers that are alive.
fn of_living(schema: &str) -> String {
    format!(
        "SELECT
            permit.scope, permit.name, permit.worker_id, permit.held, permit.wanted, permit.starved_since
        FROM {schema}.permit
        JOIN {schema}.worker ON worker.id = permit.worker_id
        WHERE {IS_ALIVE}"
    )
}

pub(crate) async fn records(client: &impl GenericClient, schema: &str) -> Answer<Vec<LimitRecord>> {
    let limits = all(client, schema).await?;
    let rows = client.query_typed(&of_living(schema), &[]).await?;
    let holders = rows.iter().map(holder).collect::<Answer<Vec<_>>>()?;
    let record = |limit: FleetLimit| {
        let own = holders.iter().filter(|(scope, _)| *scope == limit.scope).map(|(_, holder)| *holder);
        LimitRecord::new(limit.clone(), own)
    };
    Ok(limits.into_iter().map(record).collect())
}

pub(crate) async fn permits(
    client: &mut Client,
    settings: &Settings,
    schema: &str,
    request: &PermitRequest,
) -> Answer<PermitGrants> {
    if request.wanted.is_empty() {
        return Ok(PermitGrants { limits: all(client, schema).await?, granted: Vec::new(), lasts: None });
    }
    let (kinds, names): (Vec<&str>, Vec<&str>) =
        request.wanted.iter().map(|wanted| (wanted.scope.word(), wanted.scope.name())).unzip();
    let asked: [(&(dyn ToSql + Sync), Type); 2] = [(&kinds, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let is_asked = "(scope, name) IN (SELECT * FROM unnest($1, $2))";
    let transaction = client.transaction().await?;
    // Whoever stalls in here holds up all others that ask, and they must be heard of meanwhile.
    let most = (settings.lease / 4).as_millis();
    let bounds =
        format!("SET LOCAL idle_in_transaction_session_timeout = {most}; SET LOCAL lock_timeout = {most}");
    transaction.batch_execute(&bounds).await?;
    let sql = format!(
        "SELECT scope, name, concurrency, every, next_start
        FROM {schema}.fleet_limit
        WHERE {is_asked}
        ORDER BY scope, name
        FOR UPDATE"
    );
    let locked = transaction.query_typed(&sql, &asked).await?;
    // Statements of their own: what others did while we waited for the locks is seen only now.
    let sql =
        format!("{} AND (permit.scope, permit.name) IN (SELECT * FROM unnest($1, $2))", of_living(schema));
    let now = format!(
        "SELECT clock_timestamp(), (
            SELECT extract(epoch FROM beat_at + lease - clock_timestamp())::float8
            FROM {schema}.worker
            WHERE id = $1 AND {IS_ALIVE}
        )"
    );
    let own: [(&(dyn ToSql + Sync), Type); 1] = [(&request.worker.0, Type::UUID)];
    // One behind the other, without waiting.
    let (rows, now) =
        tokio::try_join!(transaction.query_typed(&sql, &asked), transaction.query_typed(&now, &own))?;
    let holders = rows.iter().map(holder).collect::<Answer<Vec<_>>>()?;
    // Others count what it holds for as long as it counts as alive, and no longer.
    let (now, alive_for) = match now.first() {
        Some(row) => (time(row, 0)?, get::<Option<f64>>(row, 1)?),
        None => return Err(Trouble::Store(unreadable("time", "no row"))),
    };
    let lasts = Some(Duration::try_from_secs_f64(alive_for.unwrap_or(0.0)).unwrap_or_default());
    let mut decisions = Vec::new();
    for row in &locked {
        let (limit, next_start) = (limit(row)?, maybe_time(row, 4)?);
        let Some(wanted) = request.wanted.iter().find(|wanted| wanted.scope == limit.scope) else { continue };
        let own: Vec<Holder> =
            holders.iter().filter(|(scope, _)| *scope == limit.scope).map(|(_, holder)| *holder).collect();
        let ledger = Ledger { limit: &limit, holders: &own, next_start, now };
        // Others do not count what a worker holds that is taken for dead: until it is heard of again it
        // gets nothing new.
        let wanted = if alive_for.is_some() { wanted.clone() } else { wanted.but_nothing_new() };
        decisions.push(ledger.decide(request.worker, &wanted));
    }
    write(&transaction, schema, &decisions).await?;
    let limits = all(&transaction, schema).await?;
    transaction.commit().await?;
    Ok(PermitGrants {
        limits,
        granted: decisions.into_iter().map(|decision| decision.granted).collect(),
        lasts,
    })
}

/// Writes down what was decided, and deletes what dead workers held of the same limits.
async fn write(client: &impl GenericClient, schema: &str, decisions: &[Decision]) -> Answer<()> {
    let (kinds, names): (Vec<&str>, Vec<&str>) =
        decisions.iter().map(|one| (one.granted.scope.word(), one.granted.scope.name())).unzip();
    let workers: Vec<Uuid> = decisions.iter().map(|one| one.holder.worker.0).collect();
    let held: Vec<i32> = decisions.iter().map(|one| int(one.holder.held)).collect();
    let wanted: Vec<i32> = decisions.iter().map(|one| int(one.holder.wanted)).collect();
    let starved: Vec<Option<Time>> = decisions.iter().map(|one| one.holder.starved_since.map(Time)).collect();
    let next: Vec<Option<Time>> = decisions.iter().map(|one| one.next_start.map(Time)).collect();
    let sql = format!(
        "WITH decided AS (
            SELECT *
            FROM unnest($1, $2, $3, $4, $5, $6, $7)
                AS d (scope, name, worker_id, held, wanted, starved_since, next_start)
        ),
        starts AS (
            UPDATE {schema}.fleet_limit
            SET next_start = decided.next_start
            FROM decided
            WHERE fleet_limit.scope = decided.scope AND fleet_limit.name = decided.name
            AND decided.next_start IS NOT NULL
        ),
        gone AS (
            DELETE FROM {schema}.permit
            USING decided
            WHERE permit.scope = decided.scope AND permit.name = decided.name
            AND CASE
                WHEN permit.worker_id = decided.worker_id THEN decided.held = 0 AND decided.wanted = 0
                ELSE NOT EXISTS (
                    SELECT FROM {schema}.worker
                    WHERE worker.id = permit.worker_id
                    AND {IS_ALIVE}
                )
            END
        )
        INSERT INTO {schema}.permit AS permit (scope, name, worker_id, held, wanted, starved_since)
        SELECT scope, name, worker_id, held, wanted, starved_since
        FROM decided
        WHERE held > 0 OR wanted > 0
        ON CONFLICT (scope, name, worker_id) DO UPDATE
        SET held = excluded.held, wanted = excluded.wanted, starved_since = excluded.starved_since
        WHERE (permit.held, permit.wanted, permit.starved_since)
            IS DISTINCT FROM (excluded.held, excluded.wanted, excluded.starved_since)"
    );
    let values: [(&(dyn ToSql + Sync), Type); 7] = [
        (&kinds, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&workers, Type::UUID_ARRAY),
        (&held, Type::INT4_ARRAY),
        (&wanted, Type::INT4_ARRAY),
        (&starved, Type::TIMESTAMPTZ_ARRAY),
        (&next, Type::TIMESTAMPTZ_ARRAY),
    ];
    client.query_typed(&sql, &values).await?;
    Ok(())
}

/// Deletes what these workers hold, but for those that are alive.
pub(crate) async fn give_back(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> Result<(), tokio_postgres::Error> {
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    // What somebody else is at is left to it, so that nobody waits for the other.
    let sql = format!(
        "WITH gone AS (
            SELECT scope, name, worker_id
            FROM {schema}.permit
            WHERE worker_id = ANY ($1)
            AND NOT EXISTS (
                SELECT FROM {schema}.worker
                WHERE worker.id = permit.worker_id AND {IS_ALIVE}
            )
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM {schema}.permit
        USING gone
        WHERE permit.scope = gone.scope AND permit.name = gone.name AND permit.worker_id = gone.worker_id"
    );
    client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await.map(drop)
}

fn scope(row: &Row) -> Answer<LimitScope> {
    let word: String = get(row, 0)?;
    Ok(LimitScope::of(&word, get(row, 1)?).ok_or_else(|| unreadable("scope of a limit", &word))?)
}

fn limit(row: &Row) -> Answer<FleetLimit> {
    let concurrency = get::<Option<i32>>(row, 2)?.map(|number| u32::try_from(number).unwrap_or(0));
    let rate = get::<Option<i64>>(row, 3)?.map(|every| {
        let span = u64::try_from(every).ok().map(Duration::from_micros);
        span.and_then(Rate::spaced).ok_or_else(|| unreadable("rate of a limit", every))
    });
    let mut limit = FleetLimit::new(scope(row)?);
    (limit.concurrency, limit.rate) = (concurrency, rate.transpose()?);
    Ok(limit)
}

fn holder(row: &Row) -> Answer<(LimitScope, Holder)> {
    let (worker, starved_since) = (WorkerId(get(row, 2)?), maybe_time(row, 5)?);
    Ok((scope(row)?, Holder { worker, held: number(row, 3)?, wanted: number(row, 4)?, starved_since }))
}
