//! A task as it is read from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tasker_store::{
    ActionDetails, AttemptOutcome, ErrorRecord, Json, JsonError, Origin, StepKey, StepState, TaskId,
    TaskRecord, TaskState, WaitKind, WaitingOn, WorkerId,
};
use tasker_template::StepIndex;
use uuid::Uuid;

use crate::build::bind::BoundTemplate;
use crate::handler::StepHandler;

/// A task at one moment: its state, its steps, and every attempt that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its template's namespace.
    pub namespace: String,
    /// Its template's name.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// The environment of its template that it was created in; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its state.
    pub state: TaskState,
    /// The id that it shares with related work.
    pub correlation_id: Uuid,
    /// Its input.
    pub context: Json,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// Who asked for it, and what for.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it settled in its present state; `None` while it is in progress.
    pub settled_at: Option<Timestamp>,
    /// Its steps, in the order of the template.
    pub steps: Vec<Step>,
    /// What it waits for: what its steps wait for, but for each other. Empty once it is over. What this says of
    /// workers and limits may be a second old. Only [`get_task`](crate::Tasker::get_task) and operators'
    /// actions fill it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_on: Vec<WaitingOn>,
    /// What operators have done to it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}

/// A step of a task at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The callable of its handler.
    pub callable: String,
    /// The method of its handler; `call` unless the template says otherwise.
    pub method: String,
    /// The steps that it waits for.
    pub dependencies: Vec<String>,
    /// Its state.
    pub state: StepState,
    /// How many attempts it has in all.
    pub max_attempts: u32,
    /// The attempts that have ended, the oldest first.
    pub attempts: Vec<Attempt>,
    /// When its running attempt was claimed; `None` when none is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
    /// When its next attempt is due; `None` when it is due, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// What it waits for, as [`Task::waiting_on`]; a step that waits for others names each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_on: Vec<WaitingOn>,
    /// Its result, once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
}

/// An attempt that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the run, from 1; 0 for the only run of an ordinary step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub instance: u32,
    /// Its number, from 1.
    pub attempt: u32,
    /// The worker that made it.
    pub worker: WorkerId,
    /// When the handler was called.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
}

/// What an operator has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Action {
    /// The action's word, such as `cancel` or `retry`.
    pub action: String,
    /// The steps that it was done to.
    pub steps: Vec<String>,
    /// Who asked for it.
    pub by: String,
    /// The reason that was given.
    pub reason: String,
    /// When it was done.
    pub at: Timestamp,
    /// What is recorded for this kind of action only.
    #[serde(default, skip_serializing_if = "ActionDetails::is_empty")]
    pub details: ActionDetails,
}

/// Why the output of a step cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The task has no such step.
    #[error("task {task} has no step `{step}`")]
    NoStep {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
    },
    /// The handler runs no step of this task, or several.
    #[error("callable `{callable}` runs {count} steps of task {task}; name the step instead")]
    Ambiguous {
        /// The task.
        task: TaskId,
        /// The callable.
        callable: &'static str,
        /// The number of those steps.
        count: usize,
    },
    /// The step is not complete.
    #[error("step `{step}` of task {task} has no result: it is {state}")]
    NoResult {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// Where it is.
        state: StepState,
    },
    /// The result does not have the form of the requested type.
    #[error("the result of step `{step}` of task {task} cannot be read")]
    Form {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// What is wrong.
        source: JsonError,
    },
}

/// The order of run states by how much is still to come: the state of a step with several runs is the highest
/// among its runs.
fn has_more_to_come(state: StepState) -> u8 {
    use StepState::{Error, InProgress, Pending, Ready, Suspended, WaitingForRetry};
    match state {
        Pending => 0,
        Error => 2,
        Suspended => 3,
        WaitingForRetry => 4,
        Ready => 5,
        InProgress => 6,
        _ => 1,
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// When a task begins that waits for this, while it waits for nothing but that time.
pub(crate) fn begins_at(waiting_on: &[WaitingOn]) -> Option<Timestamp> {
    let is_later = waiting_on.iter().all(|one| one.kind == WaitKind::Future);
    waiting_on.iter().filter_map(|one| one.until).min().filter(|_| is_later)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Task {
    pub(crate) fn new(record: TaskRecord, bound: &BoundTemplate) -> Self {
        let template = &bound.template;
        let mut steps: Vec<Step> = template
            .steps
            .iter()
            .map(|step| Step {
                name: step.name.clone(),
                callable: step.handler.callable.clone(),
                method: step.handler.method_name().to_owned(),
                dependencies: step.dependencies.clone(),
                state: StepState::Pending,
                max_attempts: step.retry.attempts(),
                attempts: Vec::new(),
                claimed_at: None,
                next_attempt_at: None,
                waiting_on: Vec::new(),
                result: None,
            })
            .collect();
        // A step with several runs has the state of the run with most to come, and is done when none is left.
        let mut open = BTreeSet::new();
        for row in record.steps {
            let Some(step) = steps.get_mut(row.key.step as usize) else { continue };
            open.insert(row.key.step);
            if has_more_to_come(row.state) > has_more_to_come(step.state) {
                step.state = row.state;
            }
            step.claimed_at = earlier(step.claimed_at, row.claimed_at);
            step.next_attempt_at = earlier(step.next_attempt_at, row.due_at);
            let declared = template.steps[row.key.step as usize].retry.attempts();
            step.max_attempts = step.max_attempts.max(declared.saturating_add(row.attempts_before_reset));
        }
        let mut results: BTreeMap<StepIndex, Vec<Json>> = BTreeMap::new();
        for row in record.attempts {
            let Some(step) = steps.get_mut(row.key.step as usize) else { continue };
            if row.outcome.is_done() && !row.key.is_only() {
                results.entry(row.key.step).or_default().extend(row.result);
            } else if row.outcome.is_done() {
                step.state = match row.outcome {
                    AttemptOutcome::ResolvedManually => StepState::ResolvedManually,
                    AttemptOutcome::Skipped => StepState::Skipped,
                    _ => StepState::Complete,
                };
                step.result = row.result;
            }
            // No worker made attempt 0.
            if row.attempt > 0 {
                step.attempts.push(Attempt {
                    instance: row.key.instance,
                    attempt: row.attempt,
                    worker: row.worker,
                    started_at: row.started_at,
                    finished_at: row.finished_at,
                    outcome: row.outcome,
                    error: row.error,
                });
            }
        }
        for (index, results) in results.into_iter().filter(|(index, _)| !open.contains(index)) {
            let step = &mut steps[index as usize];
            (step.state, step.result) = (StepState::Complete, Some(Json::list(&results)));
        }
        if matches!(record.head.state, TaskState::Cancelled | TaskState::Error) {
            // A task that was ended has no rows of its ordinary steps: their states follow from the attempts.
            for step in &mut steps {
                let has_failed =
                    |outcome: AttemptOutcome| outcome != AttemptOutcome::Cancelled && !outcome.is_done();
                let failed = step.attempts.last().is_some_and(|last| has_failed(last.outcome));
                step.state = match step.state {
                    StepState::Complete | StepState::ResolvedManually | StepState::Skipped => step.state,
                    _ if failed => StepState::Error,
                    _ => StepState::Cancelled,
                };
            }
        }
        let named = |run: &StepKey| template.steps.get(run.step as usize).map(|step| step.name.clone());
        let actions = record.actions.into_iter().map(|action| Action {
            steps: action.runs.iter().filter_map(named).collect(),
            action: action.action,
            by: action.by,
            reason: action.reason,
            at: action.at,
            details: action.details,
        });
        Self {
            actions: actions.collect(),
            priority: record.head.priority,
            origin: record.head.origin,
            id: record.head.id,
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            environment: template.environment.clone(),
            state: record.head.state,
            correlation_id: record.head.correlation_id,
            context: record.head.context,
            created_at: record.head.created_at,
            settled_at: record.head.settled_at,
            steps,
            waiting_on: Vec::new(),
        }
    }

    /// When it begins, while it waits for a time to begin at.
    ///
    /// ```
    /// # use tasker::{Error, TaskId, Tasker};
    /// async fn has_begun(tasker: &Tasker, id: TaskId) -> Result<bool, Error> {
    ///     Ok(tasker.get_task(id).await?.begins_at().is_none())
    /// }
    /// ```
    #[must_use]
    pub fn begins_at(&self) -> Option<Timestamp> {
        begins_at(&self.waiting_on)
    }

    /// The step of this name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The steps in layers, by the length of the longest path that leads to them. The steps of a layer can
    /// run at the same time.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<&Step>> {
        let index: HashMap<&str, usize> =
            self.steps.iter().enumerate().map(|(index, step)| (step.name.as_str(), index)).collect();
        let mut depths = vec![0; self.steps.len()];
        // No path is longer than the number of steps: a task that was read from JSON may contain a cycle.
        for _ in 0..self.steps.len() {
            let mut is_settled = true;
            for (at, step) in self.steps.iter().enumerate() {
                let parents = step.dependencies.iter().filter_map(|parent| index.get(parent.as_str()));
                let depth = parents.map(|parent| depths[*parent] + 1).max().unwrap_or_default();
                is_settled &= depth == std::mem::replace(&mut depths[at], depth);
            }
            if is_settled {
                break;
            }
        }
        let mut layers = BTreeMap::<usize, Vec<&Step>>::new();
        for (step, depth) in self.steps.iter().zip(depths) {
            layers.entry(depth).or_default().push(step);
        }
        layers.into_values().collect()
    }

    /// What the handler `H` returned, with its type.
    ///
    /// # Errors
    ///
    /// When `H` runs no step of this task or several, or its step is not complete.
    pub fn output<H: StepHandler<Output: DeserializeOwned>>(&self) -> Result<H::Output, OutputError> {
        let mut steps =
            self.steps.iter().filter(|step| step.callable == H::CALLABLE && step.method == H::METHOD);
        match (steps.next(), steps.count()) {
            (Some(step), 0) => self.output_of(step),
            (first, others) => Err(OutputError::Ambiguous {
                task: self.id,
                callable: H::CALLABLE,
                count: usize::from(first.is_some()) + others,
            }),
        }
    }

    /// What the step called `name` returned, read as a `T`.
    ///
    /// # Errors
    ///
    /// When there is no such step, it is not complete, or its result is no `T`.
    pub fn step_output<T: DeserializeOwned>(&self, name: &str) -> Result<T, OutputError> {
        let missing = || OutputError::NoStep { task: self.id, step: name.to_owned() };
        self.output_of(self.step(name).ok_or_else(missing)?)
    }

    fn output_of<T: DeserializeOwned>(&self, step: &Step) -> Result<T, OutputError> {
        let (task, name) = (self.id, || step.name.clone());
        let result = step.result.as_ref().ok_or_else(|| OutputError::NoResult {
            task,
            step: name(),
            state: step.state,
        })?;
        result.to().map_err(|source| OutputError::Form { task, step: name(), source })
    }

    /// The steps that failed for good.
    pub fn failed_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.state == StepState::Error)
    }
}

impl Step {
    /// The error of its last attempt, if that failed.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorRecord> {
        self.attempts.last()?.error.as_ref()
    }
}

/// A task that has settled in another state than `complete`. Its text tells which steps failed and why.
///
/// ```
/// # use tasker::{Error, Tasker, TaskId};
/// async fn first_failure(tasker: &Tasker, id: TaskId) -> Result<Option<String>, Error> {
///     match tasker.wait(id).await {
///         Err(Error::Failed(failure)) => {
///             Ok(failure.task().failed_steps().next().map(|step| step.name.clone()))
///         }
///         other => other.map(|_| None),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct TaskFailure(Task);

impl TaskFailure {
    pub(crate) fn new(task: Task) -> Self {
        Self(task)
    }

    /// The task as it has settled.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.0
    }

    /// The task as it has settled.
    #[must_use]
    pub fn into_task(self) -> Task {
        self.0
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task();
        write!(f, "task {} ({}/{}) is {}", task.id, task.namespace, task.name, task.state)?;
        for step in task.failed_steps() {
            let attempts = step.attempts.len();
            let times = if attempts == 1 { "attempt" } else { "attempts" };
            write!(
                f,
                "; step `{}` (handler `{}`) failed after {attempts} {times}",
                step.name, step.callable
            )?;
            if let Some(error) = step.error() {
                write!(f, ": {error}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for TaskFailure {}
