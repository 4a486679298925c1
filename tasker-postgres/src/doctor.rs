//! The facts about the tasks of a schema, for `doctor`. Each page is read in one snapshot.

use std::collections::HashMap;

use tasker_store::doctor::{Facts, FactsRequest, RunFacts, TaskFacts, WorkerFacts};
use tasker_store::progress::{EndedAttempt, TaskRow};
use tasker_store::{StepKey, TaskId, TaskState, TemplateId, WorkerId, chain};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Row};
use uuid::Uuid;

use crate::columns::Value;
use crate::error::PgResult;
use crate::load;
use crate::rows::run_of;
use crate::sql::statement;
use crate::values::{Result, get, maybe_steps, maybe_time, number, time, word};

/// A page of facts.
pub(crate) async fn facts(client: &mut Client, schema: &str, request: FactsRequest) -> PgResult<Facts> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = snapshot.start().await?;
    // First, while the snapshot is new: a heartbeat that is written later is not seen.
    let workers = transaction.query_typed(&statement!("doctor_workers", schema), &[]).await?;
    let workers = workers.iter().map(worker).collect::<Result<_>>()?;
    let heads = page(&transaction, schema, request).await?;
    let mut tasks = Vec::with_capacity(heads.len());
    for row in &heads {
        tasks.push(head(row, request.state)?);
    }
    let ids: Vec<Uuid> = tasks.iter().map(|task| task.row.task.0).collect();
    let last = tasks.last().map(|task| task.row.task).filter(|_| tasks.len() == request.limit);
    let wanted: [Value<'_>; 1] = [(&ids, Type::UUID_ARRAY)];
    let (steps_sql, attempts_sql) = (statement!("doctor_steps", schema), statement!("load_attempts", schema));
    let (steps, attempts) = tokio::try_join!(
        transaction.query_typed(&steps_sql, &wanted),
        transaction.query_typed(&attempts_sql, &wanted),
    )?;
    let mut places: HashMap<TaskId, &mut TaskFacts> =
        tasks.iter_mut().map(|task| (task.row.task, task)).collect();
    for row in &steps {
        let Some(task) = places.get_mut(&TaskId(get(row, "task_id")?)) else { continue };
        let run = kept(task, Some(run_of(row)?), run(row));
        task.runs.extend(run);
    }
    for row in &attempts {
        let Some(task) = places.get_mut(&TaskId(get(row, "task_id")?)) else { continue };
        let attempt = kept(task, Some(run_of(row)?), load::ended_attempt(row));
        task.attempts.extend::<Option<EndedAttempt>>(attempt);
    }
    let texts_sql = statement!("doctor_texts", schema);
    for task in &mut tasks {
        let id = task.row.task.0;
        for row in transaction.query_typed(&texts_sql, &[(&id, Type::UUID)]).await? {
            let (what, value): (&str, &str) = (get(&row, "what")?, get(&row, "value")?);
            let run = get::<Option<i32>>(&row, "step")?.map(|_| run_of(&row)).transpose()?;
            task.note_text(what, run, value);
        }
    }
    transaction.commit().await?;
    Ok(Facts { tasks, workers, last })
}

async fn page(client: &impl GenericClient, schema: &str, request: FactsRequest) -> PgResult<Vec<Row>> {
    let FactsRequest { state, after, limit } = request;
    // The index of open tasks applies only when the statement has its condition.
    let open = if state == TaskState::Complete { "" } else { " AND state <> 'complete'" };
    let sql = statement!("doctor_tasks", schema);
    let sql = format!("{sql} AND state = '{state}'{open} ORDER BY id LIMIT {limit}");
    let after = after.map_or(Uuid::nil(), |after| after.0);
    Ok(client.query_typed(&sql, &[(&after, Type::UUID)]).await?)
}

fn worker(row: &Row) -> Result<WorkerFacts> {
    let (alive, last_beat) = (get(row, "is_alive")?, maybe_time(row, "last_beat")?);
    Ok(WorkerFacts { id: WorkerId(get(row, "id")?), alive, last_beat })
}

fn head(row: &Row, state: TaskState) -> Result<TaskFacts> {
    let task = TaskRow {
        task: TaskId(get(row, "id")?),
        template: TemplateId(get(row, "template_id")?),
        state,
        priority: get(row, "priority")?,
        creator: get::<Option<Uuid>>(row, "worker_id")?.map(WorkerId),
        created_at: time(row, "created_at")?,
        claimed: Vec::new(),
    };
    let mut facts = TaskFacts::new(task, maybe_time(row, "settled_at")?);
    let claimed = kept(&mut facts, None, maybe_steps(row, "claimed"));
    facts.row.claimed = claimed.flatten().unwrap_or_default();
    Ok(facts)
}

fn run(row: &Row) -> Result<RunFacts> {
    Ok(RunFacts {
        key: run_of(row)?,
        state: word(row, "state", "step state")?,
        attempts: number(row, "attempts")?,
        attempts_before_reset: number(row, "attempts_before_reset")?,
        rank: get(row, "rank")?,
        worker: get::<Option<Uuid>>(row, "worker_id")?.map(WorkerId),
        claimed_at: maybe_time(row, "claimed_at")?,
        is_misfiled: get(row, "is_misfiled")?,
    })
}

/// What was read, if it could be. If it could not, the task is noted as one that cannot be judged.
fn kept<T>(facts: &mut TaskFacts, run: Option<StepKey>, read: Result<T>) -> Option<T> {
    read.map_err(|error| facts.is_broken(run, chain(&error))).ok()
}
