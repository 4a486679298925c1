//! What can be wrong with a schema or its database as a whole, for `doctor`.

use std::collections::HashMap;

use tasker_store::doctor::{Finding, FindingKind, Repair};
use tasker_store::{LimitScope, TaskId, TaskState, WorkerId};
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::error::PgResult;
use crate::limits;
use crate::schema;
use crate::settings::ConnectionSettings;
use crate::sql::statement;
use crate::values::{Result, get, number, unreadable};

const NO_TASK: &str = "NOT EXISTS (SELECT FROM {schema}.task WHERE task.id = left_over.task_id)";
const NO_LIMIT: &str = "NOT EXISTS (
    SELECT FROM {schema}.fleet_limit
    WHERE fleet_limit.scope = left_over.scope AND fleet_limit.name = left_over.name
)";
/// Rows that belong to something that is gone: of each table the condition, and what is gone.
const LEFT_OVER: [(&str, &str, &str); 6] = [
    ("step", NO_TASK, "task"),
    ("attempt", NO_TASK, "task"),
    ("action", NO_TASK, "task"),
    ("tag", NO_TASK, "task"),
    ("identity", NO_TASK, "task"),
    ("permit", NO_LIMIT, "limit"),
];

/// What is wrong with the schema or its database. With `repair`, deletes what belongs to nothing.
pub(crate) async fn inspect(
    client: &impl GenericClient,
    settings: &ConnectionSettings,
    repair: bool,
) -> PgResult<Vec<Finding>> {
    let schema = settings.quoted_schema();
    let mut findings = indexes(client, settings, &schema).await?;
    findings.extend(database(client, &schema).await?);
    findings.extend(unknown_states(client, &schema).await?);
    for (table, condition, owner) in LEFT_OVER {
        let condition = condition.replace("{schema}", &schema);
        let count = format!("SELECT count(*) AS rows FROM {schema}.{table} AS left_over WHERE {condition}");
        let rows = client.query_typed(&count, &[]).await?;
        let count = rows.first().map(|row| get::<i64>(row, "rows")).transpose()?.unwrap_or(0);
        if count == 0 {
            continue;
        }
        if repair {
            let delete = format!("DELETE FROM {schema}.{table} AS left_over WHERE {condition}");
            client.query_typed(&delete, &[]).await?;
        }
        findings.push(Finding::left_over(count.unsigned_abs(), table, owner).with_repaired(repair));
    }
    let permits = client.query_typed(&statement!("doctor_permits", &schema), &[]).await?;
    let permits = permits.iter().map(dead_permits).collect::<Result<Vec<_>>>()?;
    if repair {
        let workers: Vec<WorkerId> = permits.iter().filter_map(|permit| permit.worker).collect();
        limits::free_permits(client, &schema, &workers).await?;
    }
    findings.extend(permits.into_iter().map(|permit| permit.with_repaired(repair)));
    debug_assert!(findings.iter().all(|finding| !finding.repaired || finding.repair() == Repair::Store));
    Ok(findings)
}

async fn indexes(
    client: &impl GenericClient,
    settings: &ConnectionSettings,
    schema: &str,
) -> PgResult<Vec<Finding>> {
    let rows =
        client.query_typed(&statement!("doctor_indexes", schema), &[(&settings.schema, Type::TEXT)]).await?;
    let there = rows.iter().map(|row| Ok((get::<String>(row, "name")?, get::<bool>(row, "is_valid")?)));
    let there = there.collect::<Result<HashMap<_, _>>>()?;
    let look = |(name, sql): (String, String)| {
        let what = match there.get(&name) {
            Some(true) => return None,
            Some(false) => format!("The index `{name}` is invalid: drop it first."),
            None => format!("The index `{name}` is missing."),
        };
        Some(Finding::index_missing(&what, &sql.replace("{schema}", schema)))
    };
    Ok(schema::expected_indexes().into_iter().filter_map(look).collect())
}

/// Tasks whose state is none that this version knows.
async fn unknown_states(client: &impl GenericClient, schema: &str) -> PgResult<Vec<Finding>> {
    let known: Vec<&str> = TaskState::ALL.iter().map(|state| state.as_str()).collect();
    let sql = statement!("doctor_unknown_states", schema);
    let rows = client.query_typed(&sql, &[(&known, Type::TEXT_ARRAY)]).await?;
    let told = |row: &Row| Ok(Finding::unknown_state(TaskId(get(row, "id")?), get(row, "state")?));
    Ok(rows.iter().map(told).collect::<Result<_>>()?)
}

/// Settings of the database that give something away.
async fn database(client: &impl GenericClient, schema: &str) -> PgResult<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in client.query_typed(&statement!("doctor_settings", schema), &[]).await? {
        let (name, setting): (&str, &str) = (get(&row, "name")?, get(&row, "setting")?);
        match (name, setting) {
            ("server_encoding", "UTF8") => {}
            ("server_encoding", other) => {
                let what = format!("The encoding of the database is {other}, which cannot hold every text.");
                let way_out = "Move the schema to a database with the encoding UTF8.";
                findings.push(Finding::new(FindingKind::Encoding, what, way_out));
            }
            (_, "off") => {
                let what = format!("`{name}` is off: a crash or a power cut may undo the last commits.");
                let way_out = format!("Set `{name}` to on, unless these tasks may be lost.");
                findings.push(Finding::new(FindingKind::NotDurable, what, way_out));
            }
            _ => {}
        }
    }
    Ok(findings)
}

fn dead_permits(row: &Row) -> Result<Finding> {
    let (word, name): (String, String) = (get(row, "scope")?, get(row, "name")?);
    let scope = LimitScope::of(&word, name).ok_or_else(|| unreadable("scope of a limit", &word))?;
    let worker = WorkerId(get::<Uuid>(row, "worker_id")?);
    Ok(Finding::dead_permits(worker, number(row, "held")?, &scope))
}
