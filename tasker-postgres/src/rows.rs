//! The rows that operations write, table by table: each written column is declared here and nowhere else.

use jiff::Timestamp;
use tasker_store::progress::RunProgress;
use tasker_store::{
    ActionRecord, AttemptRecord, ClaimRequest, NewTaskRecord, Origin, StepKey, TaskId, TaskState, TemplateId,
};
use tasker_template::StepIndex;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::columns::rows;
use crate::values::{Result, Time, array, int, json_text, number, numbers};

rows! {
    /// A task that is written only if its epoch is this one.
    LockRow in LockRows {
        id: Uuid => "uuid";
        epoch: i32 => "int4";
    }
}

rows! {
    /// What changes of a task's row.
    TaskUpdateRow in TaskUpdateRows {
        id: Uuid => "uuid";
        /// From now on.
        epoch: i32 => "int4";
        state: &'static str => "text";
        settled_at: Option<Time> => "timestamptz";
        /// Whether the state is another than before, so that `settled_at` is written.
        state_changed: bool => "bool";
        /// Whether the task is over, which ends what was claimed in passing.
        is_over: bool => "bool";
    }
}

rows! {
    /// A new row of `task`.
    TaskRow in TaskRows {
        id: Uuid => "uuid";
        template_id: Uuid => "uuid";
        correlation_id: Uuid => "uuid";
        context: String => "json";
        created_at: Time => "timestamptz";
        priority: i32 => "int4";
        worker_id: Option<Uuid> => "uuid";
        claimed: Option<String> => "int4[]";
        origin: Option<String> => "json";
    }
}

rows! {
    /// A row of `identity`, for each task that is created; none is written where the hash is NULL.
    IdentityRow in IdentityRows {
        hash: Option<Vec<u8>> => "bytea";
        task_id: Uuid => "uuid";
    }
}

rows! {
    /// A row of `tag`.
    TagRow in TagRows {
        tag: String => "text";
        task_id: Uuid => "uuid";
    }
}

rows! {
    /// A row of `attempt`: one that has ended.
    AttemptRow in AttemptRows {
        task_id: Uuid => "uuid";
        step: i32 => "int4";
        instance: i32 => "int4";
        attempt: i32 => "int4";
        worker_id: Uuid => "uuid";
        started_at: Time => "timestamptz";
        finished_at: Time => "timestamptz";
        outcome: &'static str => "text";
        claimed: Option<String> => "int4[]";
        result: Option<String> => "json";
        error: Option<String> => "json";
    }
}

rows! {
    /// The key of a row of `step` that is deleted.
    StepKeyRow in StepKeyRows {
        task_id: Uuid => "uuid";
        step: i32 => "int4";
        instance: i32 => "int4";
    }
}

rows! {
    /// A row of `step`, made or replaced.
    StepRow in StepRows {
        task_id: Uuid => "uuid", Once;
        step: i32 => "int4", Once;
        instance: i32 => "int4", Once;
        template_id: Uuid => "uuid", Once;
        input: Option<String> => "json", Once;
        state: &'static str => "text";
        attempts: i32 => "int4";
        attempts_before_reset: i32 => "int4";
        due_at: Option<Time> => "timestamptz";
        rank: Option<i64> => "int8";
        worker_id: Option<Uuid> => "uuid";
        claimed_at: Option<Time> => "timestamptz";
    }
}

rows! {
    /// A row of `action`.
    ActionRow in ActionRows {
        task_id: Uuid => "uuid";
        action: String => "text";
        steps: String => "int4[]";
        by_whom: String => "text";
        reason: String => "text";
        at: Time => "timestamptz";
        details: Option<String> => "json";
    }
}

/// The columns `step` and `instance` of a run.
pub(crate) fn run_key(key: StepKey) -> (i32, i32) {
    (int(key.step), int(key.instance))
}

/// The run that a row's columns `step` and `instance` name.
pub(crate) fn run_of(row: &Row) -> Result<StepKey> {
    Ok(StepKey { step: number(row, "step")?, instance: number(row, "instance")? })
}

impl TaskUpdateRow {
    /// The epoch that the task has from now on, and its state, with the time when that has changed.
    pub(crate) fn new(task: TaskId, epoch: i32, state: TaskState, changed_at: Option<Timestamp>) -> Self {
        Self {
            id: task.0,
            epoch,
            state: state.as_str(),
            settled_at: changed_at.filter(|_| state.is_settled()).map(Time),
            state_changed: changed_at.is_some(),
            is_over: state.is_over(),
        }
    }
}

impl TaskRow {
    /// A new task, with the steps that `request` claimed in passing.
    pub(crate) fn new(
        task: &NewTaskRecord,
        claimed: &[StepIndex],
        request: Option<&ClaimRequest>,
    ) -> Result<Self> {
        let has_origin = task.origin != Origin::default();
        Ok(Self {
            id: task.id.0,
            template_id: task.template.0,
            correlation_id: task.correlation_id,
            context: task.context.get().to_owned(),
            created_at: Time(task.created_at),
            priority: task.priority,
            worker_id: request.filter(|_| !claimed.is_empty()).map(|request| request.worker.0),
            claimed: array(claimed),
            origin: has_origin.then(|| json_text("origin", &task.origin)).transpose()?,
        })
    }
}

impl AttemptRow {
    /// An attempt that has ended, with the steps that were claimed in passing.
    pub(crate) fn new(task: TaskId, record: &AttemptRecord, claimed: &[StepIndex]) -> Result<Self> {
        let (step, instance) = run_key(record.key);
        Ok(Self {
            task_id: task.0,
            step,
            instance,
            attempt: int(record.attempt),
            worker_id: record.worker.0,
            started_at: Time(record.started_at),
            finished_at: Time(record.finished_at),
            outcome: record.outcome.as_str(),
            claimed: array(claimed),
            result: record.result.as_ref().map(|result| result.get().to_owned()),
            error: record.error.as_ref().map(|error| json_text("error record", error)).transpose()?,
        })
    }
}

impl StepKeyRow {
    pub(crate) fn new(task: TaskId, run: StepKey) -> Self {
        let (step, instance) = run_key(run);
        Self { task_id: task.0, step, instance }
    }
}

impl StepRow {
    pub(crate) fn new(task: TaskId, template: TemplateId, run: StepKey, progress: &RunProgress) -> Self {
        let (step, instance) = run_key(run);
        Self {
            task_id: task.0,
            step,
            instance,
            template_id: template.0,
            input: progress.input.as_ref().map(|input| input.get().to_owned()),
            state: progress.state.as_str(),
            attempts: int(progress.attempts),
            attempts_before_reset: int(progress.attempts_before_reset),
            due_at: progress.due_at.map(Time),
            rank: progress.rank,
            worker_id: progress.claim.map(|claim| claim.worker.0),
            claimed_at: progress.claim.map(|claim| Time(claim.claimed_at)),
        }
    }

    /// Whether others may claim it now.
    pub(crate) fn is_ready(&self) -> bool {
        self.rank.is_some() && self.due_at.is_none()
    }
}

impl ActionRow {
    pub(crate) fn new(task: TaskId, record: ActionRecord) -> Result<Self> {
        let details = Some(&record.details).filter(|details| !details.is_empty());
        Ok(Self {
            task_id: task.0,
            steps: numbers(&StepKey::to_numbers(&record.runs)),
            details: details.map(|details| json_text("record of an action", details)).transpose()?,
            action: record.action,
            by_whom: record.by,
            reason: record.reason,
            at: Time(record.at),
        })
    }
}
