//! Fleet limits and permits, inside a transaction that the caller begins and commits.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tasker_store::{
    FleetLimit, Holder, Ledger, LimitRecord, LimitScope, PermitGrant, PermitGrants, PermitRequest, Rate,
    WorkerId,
};

use crate::error::{Result, unreadable};
use crate::session::Session;
use crate::values::{blob, micros, timestamp, uuid};
use crate::write::execute;

pub(crate) fn set(session: &mut Session, limit: &FleetLimit) -> Result<()> {
    let sql = "INSERT INTO fleet_limit (scope, name, concurrency, every)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (scope, name) DO UPDATE SET concurrency = excluded.concurrency, every = excluded.every";
    let every = limit.rate.map(|rate| i64::try_from(rate.every().as_micros()).unwrap_or(i64::MAX));
    let values = params![limit.scope.word(), limit.scope.name(), limit.concurrency, every];
    execute(&session.connection, sql, values)?;
    Ok(())
}

pub(crate) fn remove(session: &mut Session, scope: &LimitScope) -> Result<bool> {
    let (word, name) = (scope.word(), scope.name());
    let sql = "DELETE FROM permit WHERE scope = ?1 AND name = ?2";
    execute(&session.connection, sql, params![word, name])?;
    let sql = "DELETE FROM fleet_limit WHERE scope = ?1 AND name = ?2";
    Ok(execute(&session.connection, sql, params![word, name])? > 0)
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<FleetLimit>> {
    let sql = "SELECT scope, name, concurrency, every FROM fleet_limit ORDER BY scope, name";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut limits = Vec::new();
    while let Some(row) = rows.next()? {
        limits.push(limit(row)?);
    }
    Ok(limits)
}

pub(crate) fn records(
    connection: &Connection,
    is_alive: impl Fn(WorkerId) -> bool,
) -> Result<Vec<LimitRecord>> {
    // One transaction, so that limits and permits are of the same moment.
    let transaction = connection.unchecked_transaction()?;
    let mut alive = BTreeMap::new();
    let sql = "SELECT scope, name, concurrency, every, next_start FROM fleet_limit ORDER BY scope, name";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let limit = limit(row)?;
        let next_start: Option<i64> = row.get(4)?;
        let holders = holders(&transaction, &limit.scope, &is_alive, &mut alive)?;
        let record = LimitRecord::new(limit, holders.into_iter());
        records.push(record.next_start(next_start.map(timestamp).transpose()?));
    }
    Ok(records)
}

/// Grants permits and starts under each limit, by the rule that all stores share. `is_alive` reads the file
/// system; it is called once for each worker.
pub(crate) fn permits(
    session: &mut Session,
    request: &PermitRequest,
    is_alive: &impl Fn(WorkerId) -> bool,
) -> Result<PermitGrants> {
    let connection = &session.connection;
    let mut alive = BTreeMap::new();
    let mut granted: Vec<PermitGrant> = Vec::new();
    for asked in &request.demands {
        let (word, name) = (asked.scope.word(), asked.scope.name());
        let sql = "SELECT scope, name, concurrency, every, next_start
            FROM fleet_limit
            WHERE scope = ?1 AND name = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([word, name], |row| Ok((limit(row), row.get(4)?)));
        let Some((limit, next_start)) = found.optional()? else { continue };
        let (limit, next_start): (FleetLimit, Option<i64>) = (limit?, next_start);
        let holders = holders(connection, &asked.scope, is_alive, &mut alive)?;
        let next_start = next_start.map(timestamp).transpose()?;
        let ledger = Ledger { limit: &limit, holders: &holders, next_start, now: request.now };
        let decision = ledger.decide(request.worker, asked);
        if let Some(next_start) = decision.next_start {
            let sql = "UPDATE fleet_limit SET next_start = ?3 WHERE scope = ?1 AND name = ?2";
            execute(connection, sql, params![word, name, micros(next_start)])?;
        }
        let Holder { worker, held, wanted, starved_since } = decision.holder;
        if decision.holder.is_idle() {
            let sql = "DELETE FROM permit WHERE scope = ?1 AND name = ?2 AND worker_id = ?3";
            execute(connection, sql, params![word, name, blob(&worker.0)])?;
        } else if !holders.contains(&decision.holder) {
            let sql = "INSERT OR REPLACE INTO permit (scope, name, worker_id, held, wanted, starved_since)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let since = starved_since.map(micros);
            execute(connection, sql, params![word, name, blob(&worker.0), held, wanted, since])?;
        }
        granted.push(decision.granted);
    }
    Ok(PermitGrants { limits: all(connection)?, granted, lasts: None })
}

/// The living workers that hold or want permits of a limit. `alive` caches the answers of `is_alive`.
fn holders(
    connection: &Connection,
    scope: &LimitScope,
    is_alive: &impl Fn(WorkerId) -> bool,
    alive: &mut BTreeMap<WorkerId, bool>,
) -> Result<Vec<Holder>> {
    let sql = "SELECT permit.worker_id, permit.held, permit.wanted, permit.starved_since
        FROM permit
        JOIN worker ON worker.id = permit.worker_id
        WHERE permit.scope = ?1 AND permit.name = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([scope.word(), scope.name()])?;
    let mut holders = Vec::new();
    while let Some(row) = rows.next()? {
        let worker = WorkerId(uuid(row, 0)?);
        if !*alive.entry(worker).or_insert_with(|| is_alive(worker)) {
            continue;
        }
        let since: Option<i64> = row.get(3)?;
        let (held, wanted) = (row.get(1)?, row.get(2)?);
        holders.push(Holder { worker, held, wanted, starved_since: since.map(timestamp).transpose()? });
    }
    Ok(holders)
}

fn limit(row: &Row<'_>) -> Result<FleetLimit> {
    let word: String = row.get(0)?;
    let scope = LimitScope::of(&word, row.get(1)?).ok_or_else(|| unreadable("scope of a limit", &word))?;
    let every: Option<i64> = row.get(3)?;
    let rate = every.map(|every| {
        let span = u64::try_from(every).ok().map(Duration::from_micros);
        span.and_then(Rate::spaced).ok_or_else(|| unreadable("rate of a limit", every))
    });
    let mut limit = FleetLimit::new(scope);
    (limit.concurrency, limit.rate) = (row.get(2)?, rate.transpose()?);
    Ok(limit)
}
