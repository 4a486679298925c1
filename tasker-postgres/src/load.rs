//! Where tasks are, read back from what was written down.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tasker_store::progress::{Progress, StepProgress};
use tasker_store::{AttemptOutcome, Claim, StepState, TaskId, TaskState, TemplateId, WorkerId};
use tasker_template::StepIndex;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::values::{Result, get, maybe_time, number, time, unreadable};

/// A task as it stands in the database.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) progress: Progress,
    pub(crate) epoch: i32,
    /// The attempts that have ended.
    pub(crate) ended: HashMap<(StepIndex, u32), Ended>,
}

/// An attempt that has ended: enough to tell whether it is the one that somebody asks about.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) worker: WorkerId,
    pub(crate) finished_at: Timestamp,
    /// What was claimed in passing.
    pub(crate) claimed: Vec<StepIndex>,
}

/// How a task that is loaded is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Not at all: the three reads see the same moment only in a transaction of their own.
    No,
    /// Until the end of the transaction; nobody else writes to it.
    Task,
    /// With its steps, which others may claim otherwise.
    Steps,
}

/// The answers to the three questions, as they came.
pub(crate) struct Answers {
    heads: Vec<Row>,
    steps: Vec<Row>,
    attempts: Vec<Row>,
}

/// Asks for tasks, in one round trip. Locks are taken in the order of the ids, `also` among them.
pub(crate) async fn ask(
    client: &impl GenericClient,
    schema: &str,
    tasks: &[TaskId],
    also: &[TaskId],
    hold: Hold,
) -> std::result::Result<Answers, tokio_postgres::Error> {
    let wanted: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
    let locked: Vec<Uuid> = tasks.iter().chain(also).map(|task| task.0).collect();
    let lock = if hold == Hold::No { "" } else { "ORDER BY id FOR NO KEY UPDATE" };
    let heads = format!(
        "SELECT id, template_id, state, priority, epoch, worker_id, claimed, created_at
        FROM {schema}.task
        WHERE id = ANY ($1) {lock}"
    );
    let lock = if hold == Hold::Steps { "ORDER BY task_id, step FOR UPDATE" } else { "" };
    let steps = format!(
        "SELECT task_id, step, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at
        FROM {schema}.step
        WHERE task_id = ANY ($1) {lock}"
    );
    let attempts = format!(
        "SELECT task_id, step, attempt, outcome, worker_id, finished_at, claimed
        FROM {schema}.attempt
        WHERE task_id = ANY ($1)"
    );
    let locked = [(&locked as _, Type::UUID_ARRAY)];
    let wanted = [(&wanted as _, Type::UUID_ARRAY)];
    // One behind the other without waiting, so that each sees what the lock of the first waited for.
    let (heads, steps, attempts) = tokio::try_join!(
        client.query_typed(&heads, &locked),
        client.query_typed(&steps, &wanted),
        client.query_typed(&attempts, &wanted),
    )?;
    Ok(Answers { heads, steps, attempts })
}

impl Answers {
    /// The epochs of all tasks that were locked.
    pub(crate) fn epochs(&self) -> Result<HashMap<TaskId, i32>> {
        self.heads.iter().map(|row| Ok((TaskId(get(row, 0)?), get(row, 4)?))).collect()
    }

    /// The tasks that were asked for, as far as they are there; each may be unreadable for itself.
    pub(crate) fn read(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, Result<Loaded>>> {
        let steps = by_task(&self.steps)?;
        let attempts = by_task(&self.attempts)?;
        let wanted: HashSet<TaskId> = tasks.iter().copied().collect();
        let mut loaded = HashMap::new();
        for row in &self.heads {
            let id = TaskId(get(row, 0)?);
            if wanted.contains(&id) {
                let of = |rows: &HashMap<TaskId, Vec<usize>>| rows.get(&id).cloned().unwrap_or_default();
                loaded.insert(id, self.task(id, row, &of(&steps), &of(&attempts)));
            }
        }
        Ok(loaded)
    }

    fn task(&self, task: TaskId, row: &Row, steps: &[usize], attempts: &[usize]) -> Result<Loaded> {
        let template = TemplateId(get(row, 1)?);
        let mut progress = Progress::new(task, template, get(row, 3)?);
        let state: &str = get(row, 2)?;
        progress.state = state.parse::<TaskState>().map_err(|_| unreadable("task state", state))?;
        for row in steps.iter().map(|index| &self.steps[*index]) {
            let (step, own) = step(row, task, template)?;
            progress.restore(step, own);
        }
        let mut in_passing = Vec::new();
        if let (Some(worker), Some(claimed)) = (get::<Option<Uuid>>(row, 5)?, list(row, 6)?) {
            in_passing.push((WorkerId(worker), claimed, time(row, 7)?));
        }
        let mut ended = HashMap::new();
        let mut attempted = HashSet::new();
        for row in attempts.iter().map(|index| &self.attempts[*index]) {
            let (step, attempt, outcome) = (number(row, 1)?, number(row, 2)?, get::<&str>(row, 3)?);
            let outcome =
                outcome.parse::<AttemptOutcome>().map_err(|_| unreadable("attempt outcome", outcome))?;
            attempted.insert(step);
            if outcome.is_done() {
                progress.restore_done(step);
            }
            let (worker, finished_at) = (WorkerId(get(row, 4)?), time(row, 5)?);
            let claimed = list(row, 6)?;
            if let Some(claimed) = &claimed {
                in_passing.push((worker, claimed.clone(), finished_at));
            }
            let claimed = claimed.unwrap_or_default();
            ended.insert((step, attempt), Ended { worker, finished_at, claimed });
        }
        // Nothing of a task that is over is claimed.
        if progress.state == TaskState::InProgress {
            for (worker, claimed, claimed_at) in in_passing {
                for step in claimed.into_iter().filter(|step| !attempted.contains(step)) {
                    let claim = Claim {
                        task,
                        template,
                        step,
                        attempt: 1,
                        attempts_before_reset: 0,
                        worker,
                        claimed_at,
                    };
                    progress.restore_claim(claim);
                }
            }
        }
        Ok(Loaded { progress, epoch: get(row, 4)?, ended })
    }
}

fn step(row: &Row, task: TaskId, template: TemplateId) -> Result<(StepIndex, StepProgress)> {
    let (step, state) = (number(row, 1)?, get::<&str>(row, 2)?);
    let state = state.parse::<StepState>().map_err(|_| unreadable("step state", state))?;
    let (attempts, attempts_before_reset) = (number(row, 3)?, number(row, 4)?);
    let mut own = StepProgress::stored(state, attempts, attempts_before_reset);
    own.due_at = maybe_time(row, 5)?;
    own.rank = get(row, 6)?;
    if let (Some(worker), Some(claimed_at)) = (get::<Option<Uuid>>(row, 7)?, maybe_time(row, 8)?) {
        let worker = WorkerId(worker);
        own.claim = Some(Claim {
            task,
            template,
            step,
            attempt: attempts,
            attempts_before_reset,
            worker,
            claimed_at,
        });
    }
    Ok((step, own))
}

fn by_task(rows: &[Row]) -> Result<HashMap<TaskId, Vec<usize>>> {
    let mut by_task: HashMap<TaskId, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_task.entry(TaskId(get(row, 0)?)).or_default().push(index);
    }
    Ok(by_task)
}

/// A list of steps.
pub(crate) fn list(row: &Row, column: usize) -> Result<Option<Vec<StepIndex>>> {
    let Some(numbers) = get::<Option<Vec<i32>>>(row, column)? else { return Ok(None) };
    let steps = numbers.iter().map(|number| u32::try_from(*number));
    steps
        .collect::<std::result::Result<_, _>>()
        .map(Some)
        .map_err(|_| unreadable("list of steps", format!("{numbers:?}")))
}
