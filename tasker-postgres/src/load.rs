//! Reads tasks back from the database.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tasker_store::progress::{Progress, StepProgress};
use tasker_store::{AttemptOutcome, Claim, StepState, TaskId, TaskState, TemplateId, WorkerId};
use tasker_template::StepIndex;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::rows::run_of;
use crate::sql::statement;
use crate::values::{Result, get, maybe_steps, maybe_time, number, time, word};

/// A task as it is in the database.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) progress: Progress,
    pub(crate) epoch: i32,
    /// The attempts that have ended, by step and number.
    pub(crate) ended: HashMap<(StepIndex, u32), EndedAttempt>,
}

/// An attempt that has ended: enough to recognize the one that an operation in doubt may have recorded.
#[derive(Debug)]
pub(crate) struct EndedAttempt {
    pub(crate) worker: WorkerId,
    pub(crate) finished_at: Timestamp,
    /// The steps that were claimed in passing.
    pub(crate) claimed: Vec<StepIndex>,
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
        let template = TemplateId(get(head, "template_id")?);
        let mut progress = Progress::new(task, template, get(head, "priority")?);
        progress.state = word(head, "state", "task state", TaskState::parse)?;
        for row in steps.iter().map(|index| &self.steps[*index]) {
            let (step, own) = step(row, task, template)?;
            progress.restore(step, own);
        }
        let mut in_passing = Vec::new();
        if let (Some(worker), Some(claimed)) =
            (get::<Option<Uuid>>(head, "worker_id")?, maybe_steps(head, "claimed")?)
        {
            in_passing.push((WorkerId(worker), claimed, time(head, "created_at")?));
        }
        let mut ended = HashMap::new();
        let mut attempted = HashSet::new();
        for row in attempts.iter().map(|index| &self.attempts[*index]) {
            let (step, attempt) = (run_of(row)?, number(row, "attempt")?);
            attempted.insert(step);
            if word(row, "outcome", "attempt outcome", AttemptOutcome::parse)?.is_done() {
                progress.restore_done(step);
            }
            let (worker, finished_at) = (WorkerId(get(row, "worker_id")?), time(row, "finished_at")?);
            let claimed = maybe_steps(row, "claimed")?;
            if let Some(claimed) = &claimed {
                in_passing.push((worker, claimed.clone(), finished_at));
            }
            let claimed = claimed.unwrap_or_default();
            ended.insert((step, attempt), EndedAttempt { worker, finished_at, claimed });
        }
        // Nothing of a task that is over is claimed.
        if progress.state == TaskState::InProgress {
            for (worker, claimed, claimed_at) in in_passing {
                for step in claimed.into_iter().filter(|step| !attempted.contains(step)) {
                    let (attempt, attempts_before_reset) = (1, 0);
                    let claim =
                        Claim { task, template, step, attempt, attempts_before_reset, worker, claimed_at };
                    progress.restore_claim(claim);
                }
            }
        }
        Ok(Loaded { progress, epoch: get(head, "epoch")?, ended })
    }
}

fn step(row: &Row, task: TaskId, template: TemplateId) -> Result<(StepIndex, StepProgress)> {
    let (step, state) = (run_of(row)?, word(row, "state", "step state", StepState::parse)?);
    let (attempt, attempts_before_reset) = (number(row, "attempts")?, number(row, "attempts_before_reset")?);
    let mut own = StepProgress::stored(state, attempt, attempts_before_reset);
    own.due_at = maybe_time(row, "due_at")?;
    own.rank = get(row, "rank")?;
    if let (Some(worker), Some(claimed_at)) =
        (get::<Option<Uuid>>(row, "worker_id")?.map(WorkerId), maybe_time(row, "claimed_at")?)
    {
        own.claim = Some(Claim { task, template, step, attempt, attempts_before_reset, worker, claimed_at });
    }
    Ok((step, own))
}

/// The places of each task's rows.
fn by_task(rows: &[Row]) -> Result<HashMap<TaskId, Vec<usize>>> {
    let mut by_task: HashMap<TaskId, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_task.entry(TaskId(get(row, "task_id")?)).or_default().push(index);
    }
    Ok(by_task)
}
