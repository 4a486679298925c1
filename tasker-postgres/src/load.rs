//! Reads tasks back from the database.

use std::collections::{HashMap, HashSet};

use tasker_store::progress::{EndedAttempt, Progress, RunProgress, TaskRow};
use tasker_store::{Claim, StepKey, StepRecord, TaskGlance, TaskId, TemplateId, WorkerId};
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::error::PgResult;
use crate::rows::run_of;
use crate::sql::statement;
use crate::values::{Result, get, maybe_steps, maybe_time, number, time, word};

/// A task as it is in the database.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) progress: Progress,
    pub(crate) epoch: i32,
    /// The attempts that have ended: enough to recognize one that an operation in doubt may have recorded.
    pub(crate) ended: Vec<EndedAttempt>,
}

/// What is locked of a task that is read, until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Nothing. The three statements see the same moment only in a transaction that is repeatable read.
    None,
    /// The task: nobody else writes to it.
    Task,
    /// The task and its steps: nobody claims them from the queue either.
    Steps,
}

/// The rows of some tasks.
pub(crate) struct Fetched {
    heads: Vec<Row>,
    steps: Vec<Row>,
    attempts: Vec<Row>,
}

/// Fetches the rows of `tasks` in one round trip. `also` are tasks that are locked with them, in the order
/// of the ids of all, and of which only the epochs are wanted.
pub(crate) async fn fetch(
    client: &impl GenericClient,
    schema: &str,
    tasks: &[TaskId],
    also: &[TaskId],
    lock: Lock,
) -> std::result::Result<Fetched, tokio_postgres::Error> {
    let wanted: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
    let locked: Vec<Uuid> = tasks.iter().chain(also).map(|task| task.0).collect();
    let heads = match lock {
        Lock::None => statement!("load_tasks", schema),
        Lock::Task | Lock::Steps => statement!("load_tasks", schema) + " ORDER BY id FOR NO KEY UPDATE",
    };
    let steps = match lock {
        Lock::None | Lock::Task => statement!("load_steps", schema),
        Lock::Steps => statement!("load_steps", schema) + " ORDER BY task_id, step, instance FOR UPDATE",
    };
    let attempts = statement!("load_attempts", schema);
    let locked = [(&locked as _, Type::UUID_ARRAY)];
    let wanted = [(&wanted as _, Type::UUID_ARRAY)];
    // One behind the other without waiting: the later statements see what others wrote before the first had
    // its locks.
    let (heads, steps, attempts) = tokio::try_join!(
        client.query_typed(&heads, &locked),
        client.query_typed(&steps, &wanted),
        client.query_typed(&attempts, &wanted),
    )?;
    Ok(Fetched { heads, steps, attempts })
}

/// The states of tasks, and their runs that have rows.
pub(crate) async fn glance(
    client: &impl GenericClient,
    schema: &str,
    tasks: &[TaskId],
) -> PgResult<Vec<TaskGlance>> {
    let ids: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
    let (heads, steps) = (statement!("load_tasks", schema), statement!("load_steps", schema));
    let values = [(&ids as _, Type::UUID_ARRAY)];
    let (heads, steps) =
        tokio::try_join!(client.query_typed(&heads, &values), client.query_typed(&steps, &values))?;
    let by_task = by_task(&steps)?;
    let glance = |head: &Row| {
        let (id, template) = (TaskId(get(head, "id")?), TemplateId(get(head, "template_id")?));
        let rows = by_task.get(&id).into_iter().flatten();
        let runs = rows.map(|index| {
            let (key, run) = run(&steps[*index], id, template)?;
            Ok(StepRecord::new(key, &run))
        });
        let mut runs = runs.collect::<Result<Vec<_>>>()?;
        runs.sort_unstable_by_key(|run| run.key);
        Result::Ok(TaskGlance { id, state: word(head, "state", "task state")?, runs })
    };
    // A task that cannot be read does not hide the others.
    Ok(heads.iter().filter_map(|head| glance(head).ok()).collect())
}

impl Fetched {
    /// The epochs of all tasks that were locked.
    pub(crate) fn epochs(&self) -> Result<HashMap<TaskId, i32>> {
        self.heads.iter().map(|row| Ok((TaskId(get(row, "id")?), get(row, "epoch")?))).collect()
    }

    /// Those of `tasks` that exist. Each may have an error of its own.
    pub(crate) fn read(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, Result<Loaded>>> {
        let steps = by_task(&self.steps)?;
        let attempts = by_task(&self.attempts)?;
        let wanted: HashSet<TaskId> = tasks.iter().copied().collect();
        let mut loaded = HashMap::new();
        for head in &self.heads {
            let id = TaskId(get(head, "id")?);
            if wanted.contains(&id) {
                let of = |rows: &HashMap<TaskId, Vec<usize>>| rows.get(&id).cloned().unwrap_or_default();
                loaded.insert(id, self.task(id, head, &of(&steps), &of(&attempts)));
            }
        }
        Ok(loaded)
    }

    fn task(&self, task: TaskId, head: &Row, steps: &[usize], attempts: &[usize]) -> Result<Loaded> {
        let row = TaskRow {
            task,
            template: TemplateId(get(head, "template_id")?),
            state: word(head, "state", "task state")?,
            priority: get(head, "priority")?,
            creator: get::<Option<Uuid>>(head, "worker_id")?.map(WorkerId),
            created_at: time(head, "created_at")?,
            claimed: maybe_steps(head, "claimed")?.unwrap_or_default(),
        };
        let runs = steps.iter().map(|index| run(&self.steps[*index], task, row.template));
        let runs = runs.collect::<Result<Vec<_>>>()?;
        let ended = attempts.iter().map(|index| ended_attempt(&self.attempts[*index]));
        let ended = ended.collect::<Result<Vec<_>>>()?;
        Ok(Loaded { progress: Progress::restored(&row, runs, &ended), epoch: get(head, "epoch")?, ended })
    }
}

fn run(row: &Row, task: TaskId, template: TemplateId) -> Result<(StepKey, RunProgress)> {
    let (key, state) = (run_of(row)?, word(row, "state", "step state")?);
    let (attempt, attempts_before_reset) = (number(row, "attempts")?, number(row, "attempts_before_reset")?);
    let mut run = RunProgress::stored(state, attempt, attempts_before_reset);
    run.due_at = maybe_time(row, "due_at")?;
    run.rank = get(row, "rank")?;
    if let (Some(worker), Some(claimed_at)) =
        (get::<Option<Uuid>>(row, "worker_id")?.map(WorkerId), maybe_time(row, "claimed_at")?)
    {
        run.claim = Some(Claim { task, template, key, attempt, attempts_before_reset, worker, claimed_at });
    }
    Ok((key, run))
}

pub(crate) fn ended_attempt(row: &Row) -> Result<EndedAttempt> {
    Ok(EndedAttempt {
        key: run_of(row)?,
        attempt: number(row, "attempt")?,
        outcome: word(row, "outcome", "attempt outcome")?,
        worker: WorkerId(get(row, "worker_id")?),
        finished_at: time(row, "finished_at")?,
        claimed: maybe_steps(row, "claimed")?.unwrap_or_default(),
    })
}

/// The places of each task's rows.
fn by_task(rows: &[Row]) -> Result<HashMap<TaskId, Vec<usize>>> {
    let mut by_task: HashMap<TaskId, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_task.entry(TaskId(get(row, "task_id")?)).or_default().push(index);
    }
    Ok(by_task)
}
