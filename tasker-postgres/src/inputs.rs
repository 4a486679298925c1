//! What steps need to run. All that is asked for while a question is under way is one question, the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use jiff::Timestamp;
use tasker_store::{Json, StoreError, TaskId, TaskInputs};
use tasker_template::StepIndex;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::session::Trouble;
use crate::settings::Settings;
use crate::values::{Result, failed, get, int, json, number, time};

/// Callers beyond this many wait before they may ask.
pub(crate) const QUEUE: usize = 1_024;
/// At most this many share a question.
const BATCH: usize = 64;

/// What a step needs, and who waits for it.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) task: TaskId,
    pub(crate) steps: Vec<StepIndex>,
    pub(crate) answer: oneshot::Sender<Result<Option<TaskInputs>>>,
}

/// Answers until nobody can ask any more.
pub(crate) async fn answer_until_closed(
    pool: Pool,
    settings: Arc<Settings>,
    mut asked: mpsc::Receiver<Wanted>,
) {
    let mut batch = Vec::new();
    while asked.recv_many(&mut batch, BATCH).await > 0 {
        match pool.get().await {
            Ok(connection) => answer_all(&connection, &settings, &mut batch).await,
            Err(error) => {
                let reason = error.to_string();
                for wanted in batch.drain(..) {
                    let (what, source) = (settings.describe(), reason.clone().into());
                    wanted.tell(Err(StoreError::Database { what, source }));
                }
            }
        }
    }
}

async fn answer_all(connection: &Object, settings: &Settings, batch: &mut Vec<Wanted>) {
    if let Ok(found) = find(connection, settings, batch).await {
        for wanted in batch.drain(..) {
            let inputs = found.inputs(wanted.task, &wanted.steps);
            wanted.tell(inputs);
        }
    }
    // One of them may be to blame, or the connection: then each is told so.
    for wanted in batch.drain(..) {
        let found = find(connection, settings, std::slice::from_ref(&wanted)).await;
        let inputs = match found {
            Ok(found) => found.inputs(wanted.task, &wanted.steps),
            Err(Trouble::Database(error)) => Err(failed(error, &settings.describe())),
            Err(Trouble::Store(error)) => Err(error),
        };
        wanted.tell(inputs);
    }
}

impl Wanted {
    fn tell(self, inputs: Result<Option<TaskInputs>>) {
        // Whoever asked may have stopped waiting.
        let _ = self.answer.send(inputs);
    }
}

/// Rows, by what they are about.
struct Found {
    tasks: HashMap<TaskId, Row>,
    results: HashMap<(TaskId, StepIndex), Row>,
}

async fn find(
    connection: &Object,
    settings: &Settings,
    wanted: &[Wanted],
) -> std::result::Result<Found, Trouble> {
    let schema = settings.quoted_schema();
    let tasks_sql = format!(
        "SELECT id, context::text, correlation_id, created_at FROM {schema}.task WHERE id = ANY ($1)"
    );
    let results_sql = format!(
        "SELECT attempt.task_id, attempt.step, attempt.result::text
        FROM unnest($1::uuid[], $2::int4[]) AS wanted (task, step)
        JOIN {schema}.attempt ON attempt.task_id = wanted.task AND attempt.step = wanted.step
        WHERE attempt.instance = 0 AND attempt.result IS NOT NULL"
    );
    let tasks: BTreeSet<Uuid> = wanted.iter().map(|one| one.task.0).collect();
    let tasks: Vec<Uuid> = tasks.into_iter().collect();
    let steps: BTreeSet<(Uuid, i32)> =
        wanted.iter().flat_map(|one| one.steps.iter().map(|step| (one.task.0, int(*step)))).collect();
    let (of_tasks, steps): (Vec<Uuid>, Vec<i32>) = steps.into_iter().unzip();
    let by_task: [(&(dyn ToSql + Sync), Type); 1] = [(&tasks, Type::UUID_ARRAY)];
    let by_step: [(&(dyn ToSql + Sync), Type); 2] =
        [(&of_tasks, Type::UUID_ARRAY), (&steps, Type::INT4_ARRAY)];
    let results = async {
        if steps.is_empty() {
            Ok(Vec::new())
        } else {
            query(connection, settings, &results_sql, &by_step).await
        }
    };
    let (tasks, results) = tokio::try_join!(query(connection, settings, &tasks_sql, &by_task), results)?;
    let mut found = Found { tasks: HashMap::new(), results: HashMap::new() };
    for row in tasks {
        found.tasks.insert(TaskId(get(&row, 0)?), row);
    }
    for row in results {
        found.results.insert((TaskId(get(&row, 0)?), number(&row, 1)?), row);
    }
    Ok(found)
}

/// Runs a query that is prepared once for each connection, unless nothing can be prepared.
async fn query(
    connection: &Object,
    settings: &Settings,
    sql: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
    if !settings.prepared {
        return connection.query_typed(sql, values).await;
    }
    let types: Vec<Type> = values.iter().map(|(_, kind)| kind.clone()).collect();
    let statement = connection.prepare_typed_cached(sql, &types).await?;
    let values: Vec<_> = values.iter().map(|(value, _)| *value).collect();
    connection.query(&statement, &values).await
}

impl Found {
    fn inputs(&self, task: TaskId, steps: &[StepIndex]) -> Result<Option<TaskInputs>> {
        let Some(row) = self.tasks.get(&task) else { return Ok(None) };
        let (context, correlation_id): (Json, Uuid) = (json(get(row, 1)?)?, get(row, 2)?);
        let created_at: Timestamp = time(row, 3)?;
        let result = |step: &StepIndex| -> Result<Option<Json>> {
            self.results.get(&(task, *step)).map(|row| json(get(row, 2)?)).transpose()
        };
        let results = steps.iter().map(result).collect::<Result<_>>()?;
        Ok(Some(TaskInputs { context, correlation_id, created_at, results }))
    }
}
