//! What can be wrong with a file as a whole, for `doctor`.

use rusqlite::{Connection, params};
use tasker_store::doctor::{Finding, FindingKind, Repair};
use tasker_store::{LimitScope, TaskId, TaskState, WorkerId};

use crate::error::{Result, unreadable};
use crate::schema;
use crate::session::Session;
use crate::values::{blob, uuid};

/// How many faults of the file's pages are told at most.
const FAULTS: u32 = 10;
/// How many tasks of unknown states are told at most.
const MAX: u32 = 100;

/// Rows that belong to something that is gone: of each table the condition, and what is gone.
const LEFT_OVER: [(&str, &str, &str); 6] = [
    ("step", NO_TASK, "task"),
    ("attempt", NO_TASK, "task"),
    ("action", NO_TASK, "task"),
    ("tag", NO_TASK, "task"),
    ("identity", NO_TASK, "task"),
    (
        "permit",
        "NOT EXISTS (
            SELECT 1 FROM fleet_limit
            WHERE fleet_limit.scope = left_over.scope AND fleet_limit.name = left_over.name
        )",
        "limit",
    ),
];
const NO_TASK: &str = "NOT EXISTS (SELECT 1 FROM task WHERE task.id = left_over.task_id)";

/// What is wrong with the file. It reads all of it, beside the writer.
pub(crate) fn inspect(connection: &Connection, is_alive: &impl Fn(WorkerId) -> bool) -> Result<Vec<Finding>> {
    let mut findings = damage(connection)?;
    if !findings.is_empty() {
        return Ok(findings);
    }
    let there = schema::indexes(connection)?;
    for (name, sql) in schema::expected_indexes()? {
        if !there.iter().any(|(one, _)| *one == name) {
            findings.push(Finding::index_missing(&format!("The index `{name}` is missing."), &sql));
        }
    }
    for (table, condition, owner) in LEFT_OVER {
        let sql = format!("SELECT count(*) FROM {table} WHERE {}", of(table, condition));
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        if rows > 0 {
            findings.push(Finding::left_over(rows.unsigned_abs(), table, owner));
        }
    }
    findings.extend(unknown_states(connection)?);
    findings.extend(dead_permits(connection, is_alive)?);
    Ok(findings)
}

/// Tasks whose state is none that this version knows.
fn unknown_states(connection: &Connection) -> Result<Vec<Finding>> {
    let known: Vec<String> = TaskState::ALL.iter().map(|state| format!("'{state}'")).collect();
    let sql = format!(
        "SELECT id, state FROM task WHERE state <> 'complete' AND state NOT IN ({}) ORDER BY id LIMIT {MAX}",
        known.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        let state: String = row.get(1)?;
        findings.push(Finding::unknown_state(TaskId(uuid(row, 0)?), &state));
    }
    Ok(findings)
}

fn damage(connection: &Connection) -> Result<Vec<Finding>> {
    let mut statement = connection.prepare(&format!("PRAGMA quick_check({FAULTS})"))?;
    let mut rows = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        let fault: String = row.get(0)?;
        if fault != "ok" {
            let what = format!("SQLite finds the file damaged: {fault}.");
            findings.push(Finding::new(FindingKind::Damaged, what, "Restore the file from a backup."));
        }
    }
    Ok(findings)
}

/// Whether commits of the writer are on the disk before they are answered.
pub(crate) fn durability(session: &Session) -> Result<Option<Finding>> {
    let sql = "PRAGMA synchronous";
    let synchronous: i64 = session.connection.query_row(sql, [], |row| row.get(0))?;
    let what = || format!("`synchronous` is {synchronous}: a power cut may undo the last commits.");
    let note =
        || Finding::new(FindingKind::NotDurable, what(), "This program sets FULL, which is 2: report it.");
    Ok((synchronous < 2).then(note))
}

/// Deletes what these findings are about, as far as it may be deleted.
pub(crate) fn repair(
    session: &Session,
    findings: Vec<Finding>,
    is_alive: &impl Fn(WorkerId) -> bool,
) -> Result<Vec<Finding>> {
    let connection = &session.connection;
    if findings.iter().any(|finding| finding.kind == FindingKind::LeftOver) {
        for (table, condition, _) in LEFT_OVER {
            connection.execute(&format!("DELETE FROM {table} WHERE {}", of(table, condition)), [])?;
        }
    }
    for permit in dead_permits(connection, is_alive)? {
        let worker = permit.worker.map(|worker| worker.0).unwrap_or_default();
        connection.execute("DELETE FROM permit WHERE worker_id = ?1", params![blob(&worker)])?;
    }
    let repaired = |finding: Finding| {
        let is_repaired = finding.repair() == Repair::Store;
        finding.with_repaired(is_repaired)
    };
    Ok(findings.into_iter().map(repaired).collect())
}

/// A condition, for the rows of a table.
fn of(table: &str, condition: &str) -> String {
    condition.replace("left_over.", &format!("{table}."))
}

fn dead_permits(connection: &Connection, is_alive: &impl Fn(WorkerId) -> bool) -> Result<Vec<Finding>> {
    let sql = "SELECT permit.scope, permit.name, permit.held, permit.worker_id, worker.id IS NOT NULL
        FROM permit
        LEFT JOIN worker ON worker.id = permit.worker_id
        WHERE permit.held > 0";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        let (word, held): (String, u32) = (row.get(0)?, row.get(2)?);
        let scope =
            LimitScope::of(&word, row.get(1)?).ok_or_else(|| unreadable("scope of a limit", &word))?;
        let worker = WorkerId(uuid(row, 3)?);
        if !row.get::<_, bool>(4)? || !is_alive(worker) {
            findings.push(Finding::dead_permits(worker, held, &scope));
        }
    }
    Ok(findings)
}
