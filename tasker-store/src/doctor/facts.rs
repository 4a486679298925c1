//! The facts that the rules are about, as a store's rows have them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tasker_template::{Graph, Plan, StepIndex, TaskTemplate};

use crate::action::ActionDetails;
use crate::error_record::ErrorRecord;
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::key::StepKey;
use crate::progress::{EndedAttempt, TaskRow};
use crate::state::{StepState, TaskState};
use crate::task::Origin;
use crate::template::TemplateRecord;

/// Which tasks to hand out the facts of: a page of those in one state, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct FactsRequest {
    /// Their state.
    pub state: TaskState,
    /// The last task of the page before; `None` for the first page.
    pub after: Option<TaskId>,
    /// At most this many.
    pub limit: usize,
}

impl FactsRequest {
    /// The one task with this id, if it is in this state.
    #[must_use]
    pub fn only(task: TaskId, state: TaskState) -> Self {
        let before = task.0.as_u128().checked_sub(1).map(uuid::Uuid::from_u128);
        Self { state, after: before.map(TaskId), limit: 1 }
    }
}

/// A page of facts, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The tasks, in the order of their ids.
    pub tasks: Vec<TaskFacts>,
    /// All workers that have a row.
    pub workers: Vec<WorkerFacts>,
    /// The last task that was looked at; `None` when there are no more.
    pub last: Option<TaskId>,
}

/// A worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerFacts {
    /// Its id.
    pub id: WorkerId,
    /// Whether it is alive.
    pub alive: bool,
    /// The time of its last heartbeat; `None` on stores without heartbeats, and of a worker that signed off.
    pub last_beat: Option<Timestamp>,
}

/// A task, with its runs and attempts.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// The row of the task itself. Not to be believed while [`is_whole`](Self::is_whole) is `false`.
    pub row: TaskRow,
    /// When it came into its present state; `None` while it is in progress.
    pub settled_at: Option<Timestamp>,
    /// The runs that have rows, by key.
    pub runs: Vec<RunFacts>,
    /// The attempts that have ended, by run and number.
    pub attempts: Vec<EndedAttempt>,
    /// What cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Whether everything could be read that the other rules are about.
    pub is_whole: bool,
}

/// The row of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts {
    /// The run.
    pub key: StepKey,
    /// Its state.
    pub state: StepState,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before an operator renewed the budget.
    pub attempts_before_reset: u32,
    /// Its rank in the queue; `None` when it is not queued.
    pub rank: Option<i64>,
    /// The owner of its claim.
    pub worker: Option<WorkerId>,
    /// When it was claimed.
    pub claimed_at: Option<Timestamp>,
    /// Whether the columns that repeat what is known of its task differ from that: a run of another template or
    /// namespace than its task's is not offered to the workers that serve it.
    pub is_misfiled: bool,
}

/// A record that this version cannot read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// The run that it belongs to; `None` for a record of the task itself.
    pub run: Option<StepKey>,
    /// What it is, and what is wrong with it.
    pub error: String,
}

impl TaskFacts {
    /// Facts about a task of which only its row has been read.
    #[must_use]
    pub fn new(row: TaskRow, settled_at: Option<Timestamp>) -> Self {
        Self {
            row,
            settled_at,
            runs: Vec::new(),
            attempts: Vec::new(),
            unreadable: Vec::new(),
            is_whole: true,
        }
    }

    /// Notes a record without which the other rules cannot be applied.
    pub fn is_broken(&mut self, run: Option<StepKey>, error: String) {
        self.is_whole = false;
        self.unreadable.push(Unreadable { run, error });
    }

    /// Notes a text that the store keeps of the task, if this version cannot read it. `what` is the kind of the
    /// text: `error`, `origin`, `details` or `runs` of an action, or any JSON value.
    pub fn note_text(&mut self, what: &str, run: Option<StepKey>, text: &str) {
        let read = match what {
            "error" => parse::<ErrorRecord>(text),
            "origin" => parse::<Origin>(text),
            "details" => parse::<ActionDetails>(text),
            "runs" => parse::<Vec<i64>>(text),
            _ => Json::from_text(text.to_owned()).map(drop).map_err(|error| error.to_string()),
        };
        if let Err(error) = read {
            self.unreadable.push(Unreadable { run, error: format!("the {what} cannot be read: {error}") });
        }
    }

    /// The greatest number of an attempt that is recorded of each run.
    #[must_use]
    pub fn recorded(&self) -> std::collections::BTreeMap<StepKey, u32> {
        let mut recorded = std::collections::BTreeMap::new();
        for attempt in &self.attempts {
            let greatest: &mut u32 = recorded.entry(attempt.key).or_default();
            *greatest = attempt.attempt.max(*greatest);
        }
        recorded
    }

    /// When something was last recorded of the task.
    #[must_use]
    pub fn last_recorded_at(&self) -> Timestamp {
        let ended = self.attempts.iter().map(|attempt| attempt.finished_at);
        ended.max().unwrap_or(self.row.created_at)
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<(), String> {
    serde_json::from_str::<T>(text).map(drop).map_err(|error| error.to_string())
}

/// What the rules ask of a template.
#[derive(Clone, Debug)]
pub struct TemplateFacts {
    /// Its graph.
    pub graph: Arc<Graph>,
    /// The name of each step, and how many attempts it may have; `None` for any number.
    pub steps: Vec<(String, Option<u32>)>,
}

impl TemplateFacts {
    /// What the rules ask of a stored template.
    ///
    /// # Errors
    ///
    /// Why it cannot be read: it is no template, or another one than its id says.
    pub fn read(record: &TemplateRecord) -> Result<Self, String> {
        if TemplateId::of(&record.snapshot) != record.id {
            return Err("its text is not the one that its id was made of".to_owned());
        }
        let template: TaskTemplate =
            serde_json::from_str(&record.snapshot).map_err(|error| error.to_string())?;
        let plan = Plan::new(&template).map_err(|error| error.to_string())?;
        let steps = template.steps.into_iter().map(|step| (step.name, Some(step.retry.attempts())));
        Ok(Self { graph: Arc::clone(plan.graph()), steps: steps.collect() })
    }

    /// The name of a run's step, with the number of the run where there are several.
    #[must_use]
    pub fn name_of(&self, key: StepKey) -> String {
        let name = self.steps.get(key.step as usize).map(|(name, _)| name.clone());
        let name = name.unwrap_or_else(|| format!("#{}", key.step));
        if key.is_only() { name } else { format!("{name}#{:03}", key.instance) }
    }

    /// How many attempts a step may have; `None` for any number.
    #[must_use]
    pub fn max_attempts(&self, step: StepIndex) -> Option<u32> {
        self.steps.get(step as usize).and_then(|(_, attempts)| *attempts)
    }
}

impl RunFacts {
    /// Whether the run goes on without an operator.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        use StepState::{InProgress, Ready, Suspended, WaitingForRetry};
        matches!(self.state, Ready | InProgress | WaitingForRetry | Suspended)
    }
}
