//! Reads what steps need to run. All requests that arrive while a query is under way share the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deadpool_postgres::Object;
use jiff::Timestamp;
use tasker_store::{Json, StepKey, StoreError, TaskId, TaskInputs, chain};
use tasker_template::StepIndex;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::columns::Value;
use crate::error::{PgResult, is_connection_lost};
use crate::pool::Pool;
use crate::rows::{run_key, run_of};
use crate::settings::ConnectionSettings;
use crate::sql::statement;
use crate::values::{Result, get, int, json, number, time};

/// Requests that may wait. Callers beyond that wait for a place.
const QUEUE: usize = 1_024;
/// The most requests that share a query.
const BATCH: usize = 64;

/// A request for what a step needs, with the channel on which its caller waits for the answer.
#[derive(Debug)]
pub(crate) struct InputRequest {
    pub(crate) task: TaskId,
    /// The run that needs them.
    pub(crate) run: StepKey,
    pub(crate) steps: Vec<StepIndex>,
    pub(crate) answer: oneshot::Sender<Result<Option<TaskInputs>>>,
}

/// Starts to answer requests, until all their senders are dropped.
pub(crate) fn start(pool: &Pool, settings: &Arc<ConnectionSettings>) -> mpsc::Sender<InputRequest> {
    let (requests, waiting) = mpsc::channel(QUEUE);
    tokio::spawn(answer_until_closed(pool.clone(), Arc::clone(settings), waiting));
    requests
}

async fn answer_until_closed(
    pool: Pool,
    settings: Arc<ConnectionSettings>,
    mut requests: mpsc::Receiver<InputRequest>,
) {
    let mut batch = Vec::new();
    while requests.recv_many(&mut batch, BATCH).await > 0 {
        let Some(error) = answer_all(&pool, &settings, &mut batch).await else { continue };
        let (what, reason) = (settings.describe(), chain(&error));
        for request in batch.drain(..) {
            let (what, source) = (what.clone(), reason.clone().into());
            request.answer(Err(StoreError::Database { what, source }));
        }
    }
}

/// Answers the requests; some may be left when the database cannot be reached, which is then the answer.
async fn answer_all(
    pool: &Pool,
    settings: &ConnectionSettings,
    batch: &mut Vec<InputRequest>,
) -> Option<StoreError> {
    let connection = match pool.get().await {
        Ok(connection) => connection,
        Err(error) => return Some(error),
    };
    let mut lost = None;
    match pool.answered(find(&connection, settings, batch)).await {
        Ok(found) => {
            for request in batch.drain(..) {
                let inputs = found.inputs(&request);
                request.answer(inputs);
            }
        }
        Err(error) if is_connection_lost(&error, &connection) => lost = Some(error),
        // One of the requests may be the cause: each gets a query of its own, and its own error.
        Err(_) => {
            while let Some(request) = batch.pop() {
                match pool.answered(find(&connection, settings, std::slice::from_ref(&request))).await {
                    Ok(found) => {
                        let inputs = found.inputs(&request);
                        request.answer(inputs);
                    }
                    Err(error) if is_connection_lost(&error, &connection) => {
                        batch.push(request);
                        lost = Some(error);
                        break;
                    }
                    Err(error) => request.answer(Err(error.into_store_error(&settings.describe()))),
                }
            }
        }
    }
    pool.give_back(connection, lost.map_or(Ok(()), Err)).err()
}

impl InputRequest {
    fn answer(self, inputs: Result<Option<TaskInputs>>) {
        // Whoever asked may have stopped waiting.
        let _ = self.answer.send(inputs);
    }
}

/// The rows that were found, by their keys.
struct Found {
    tasks: HashMap<TaskId, Row>,
    /// In the order of the instances: those of a step with several runs are several.
    results: HashMap<(TaskId, StepIndex), Vec<Row>>,
    /// The inputs of several runs.
    inputs: HashMap<(TaskId, StepKey), Row>,
}

async fn find(
    connection: &Object,
    settings: &ConnectionSettings,
    requests: &[InputRequest],
) -> PgResult<Found> {
    let schema = settings.quoted_schema();
    let tasks: BTreeSet<Uuid> = requests.iter().map(|one| one.task.0).collect();
    let tasks: Vec<Uuid> = tasks.into_iter().collect();
    let steps: BTreeSet<(Uuid, i32)> =
        requests.iter().flat_map(|one| one.steps.iter().map(|step| (one.task.0, int(*step)))).collect();
    let (of_tasks, steps): (Vec<Uuid>, Vec<i32>) = steps.into_iter().unzip();
    let by_task: [Value<'_>; 1] = [(&tasks, Type::UUID_ARRAY)];
    let by_step: [Value<'_>; 2] = [(&of_tasks, Type::UUID_ARRAY), (&steps, Type::INT4_ARRAY)];
    let tasks_sql = statement!("input_tasks", &schema);
    let results = async {
        if steps.is_empty() {
            Ok(Vec::new())
        } else {
            query(connection, settings, &statement!("input_results", &schema), &by_step).await
        }
    };
    let runs: BTreeSet<(TaskId, StepKey)> =
        requests.iter().map(|one| (one.task, one.run)).filter(|(_, run)| !run.is_only()).collect();
    let run_tasks: Vec<Uuid> = runs.iter().map(|(task, _)| task.0).collect();
    let (run_steps, run_instances): (Vec<i32>, Vec<i32>) = runs.iter().map(|(_, run)| run_key(*run)).unzip();
    let by_run: [Value<'_>; 3] =
        [(&run_tasks, Type::UUID_ARRAY), (&run_steps, Type::INT4_ARRAY), (&run_instances, Type::INT4_ARRAY)];
    let inputs = async {
        if runs.is_empty() {
            Ok(Vec::new())
        } else {
            query(connection, settings, &statement!("run_inputs", &schema), &by_run).await
        }
    };
    let tasks = query(connection, settings, &tasks_sql, &by_task);
    let (tasks, results, inputs) = tokio::try_join!(tasks, results, inputs)?;
    let mut found = Found { tasks: HashMap::new(), results: HashMap::new(), inputs: HashMap::new() };
    for row in tasks {
        found.tasks.insert(TaskId(get(&row, "id")?), row);
    }
    for row in results {
        let step = (TaskId(get(&row, "task_id")?), number(&row, "step")?);
        found.results.entry(step).or_default().push(row);
    }
    for row in inputs {
        found.inputs.insert((TaskId(get(&row, "task_id")?), run_of(&row)?), row);
    }
    Ok(found)
}

/// Runs a query that is prepared once for each connection, unless the settings forbid that.
async fn query(
    connection: &Object,
    settings: &ConnectionSettings,
    sql: &str,
    values: &[Value<'_>],
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
    fn inputs(&self, InputRequest { task, run, steps, .. }: &InputRequest) -> Result<Option<TaskInputs>> {
        let Some(row) = self.tasks.get(task) else { return Ok(None) };
        let (context, correlation_id): (Json, Uuid) =
            (json(get(row, "context")?)?, get(row, "correlation_id")?);
        let created_at: Timestamp = time(row, "created_at")?;
        let results = steps.iter().map(|step| self.result(*task, *step)).collect::<Result<_>>()?;
        let input = self.inputs.get(&(*task, *run)).map(|row| json(get(row, "input")?)).transpose()?;
        Ok(Some(TaskInputs { context, correlation_id, created_at, results, input }))
    }

    /// The result of a step: that of its only run, or the list of what its several runs have returned.
    fn result(&self, task: TaskId, step: StepIndex) -> Result<Option<Json>> {
        let Some(rows) = self.results.get(&(task, step)) else { return Ok(None) };
        let results = rows.iter().map(|row| json(get(row, "result")?)).collect::<Result<Vec<_>>>()?;
        let is_only = rows.first().map(run_of).transpose()?.is_some_and(StepKey::is_only);
        Ok(if is_only { results.into_iter().next() } else { Some(Json::list(&results)) })
    }
}
