//! What a batch of operations writes, as one statement: arrays of rows, so that its cost hardly depends on
//! how many rows there are.
//!
//! The statement locks the tasks whose epoch is the one that we know; the rows of other tasks are not
//! written, and the answer names the tasks that were.

use jiff::Timestamp;
use tasker_store::progress::{Change, Progress};
use tasker_store::{
    ActionRecord, AttemptRecord, Claim, ClaimRequest, NewTaskRecord, TaskId, TaskState, TemplateId, WorkerId,
    twin,
};
use tasker_template::StepIndex;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::columns::{Rows, Value};
use crate::rows::{
    ActionRow, ActionRows, AttemptRow, AttemptRows, IdentityRow, IdentityRows, LockRow, LockRows, StepKeyRow,
    StepKeyRows, StepRow, StepRows, TagRow, TagRows, TaskRow, TaskRows, TaskUpdateRow, TaskUpdateRows,
    run_of,
};
use crate::sql;
use crate::statement::{Composer, Locks};
use crate::values::{Result, Time, get, int, number};

/// Rows to write, by table, and what is to be claimed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    locks: LockRows,
    updates: TaskUpdateRows,
    tasks: TaskRows,
    identities: IdentityRows,
    tags: TagRows,
    attempts: AttemptRows,
    deleted_steps: StepKeyRows,
    steps: StepRows,
    actions: ActionRows,
    claim: Option<QueueClaim>,
    /// Whether a step has become ready that other processes may wait for.
    pub(crate) has_ready_steps: bool,
}

/// The parameters of a claim from the queue.
#[derive(Debug)]
struct QueueClaim {
    worker: Uuid,
    now: Time,
    /// At most so many steps.
    limit: i64,
    excluded_templates: Vec<Uuid>,
    excluded_steps: Vec<i32>,
    namespaces: Option<Vec<String>>,
}

/// What the statement wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The tasks that had the epoch that we know, and those that were created.
    pub(crate) tasks: Vec<TaskId>,
    /// What was claimed from the queue, in its order.
    pub(crate) claims: Vec<Claim>,
    /// Whether more steps than those were ready.
    pub(crate) more: bool,
}

impl Batch {
    /// A task that is written only if its epoch is this one.
    pub(crate) fn lock(&mut self, task: TaskId, epoch: i32) {
        self.locks.push(LockRow { id: task.0, epoch });
    }

    /// The task's row: its epoch from now on, and its state, with the time when that has changed.
    pub(crate) fn update_task(
        &mut self,
        task: TaskId,
        epoch: i32,
        state: TaskState,
        changed_at: Option<Timestamp>,
    ) {
        self.updates.push(TaskUpdateRow::new(task, epoch, state, changed_at));
    }

    /// A new task, with the steps that `request` claimed in passing.
    pub(crate) fn create(
        &mut self,
        task: &NewTaskRecord,
        claimed: &[StepIndex],
        request: &ClaimRequest,
    ) -> Result<()> {
        self.tasks.push(TaskRow::new(task, claimed, Some(request))?);
        self.identities.push(IdentityRow { hash: task.identity.map(Vec::from), task_id: task.id.0 });
        for tag in &task.origin.tags {
            self.tags.push(TagRow { tag: tag.clone(), task_id: task.id.0 });
        }
        Ok(())
    }

    /// An attempt that has ended, with the steps that were claimed in passing.
    pub(crate) fn attempt(
        &mut self,
        task: TaskId,
        record: &AttemptRecord,
        claimed: &[StepIndex],
    ) -> Result<()> {
        if twin::is("skipped-row") && self.attempts.len() == 2 {
            return Ok(());
        }
        self.attempts.push(AttemptRow::new(task, record, claimed)?);
        Ok(())
    }

    /// What has changed of a task's steps.
    pub(crate) fn steps(&mut self, progress: &mut Progress) {
        let (task, template) = (progress.task, progress.template);
        let written: std::result::Result<(), std::convert::Infallible> =
            progress.write_down(|key, change| {
                match change {
                    Change::Row(run) => {
                        let row = StepRow::new(task, template, key, run);
                        self.has_ready_steps |= row.is_ready();
                        self.steps.push(row);
                    }
                    Change::NoRow => self.deleted_steps.push(StepKeyRow::new(task, key)),
                }
                Ok(())
            });
        let Ok(()) = written;
    }

    pub(crate) fn action(&mut self, task: TaskId, record: ActionRecord) -> Result<()> {
        self.actions.push(ActionRow::new(task, record)?);
        Ok(())
    }

    /// Claims up to `limit` steps from the queue.
    pub(crate) fn claim(&mut self, request: &ClaimRequest, limit: usize) {
        let (excluded_templates, excluded_steps) =
            request.excluded.iter().map(|(template, step)| (template.0, int(*step))).unzip();
        self.claim = Some(QueueClaim {
            worker: request.worker.0,
            now: Time(request.now),
            // The statement looks at one more.
            limit: i64::try_from(limit).unwrap_or(i64::MAX - 1),
            excluded_templates,
            excluded_steps,
            namespaces: request.namespaces.as_deref().map(<[String]>::to_vec),
        });
    }

    /// The statement; `None` when there is nothing to write and to claim.
    pub(crate) fn compose(&self) -> Option<Composer<'_>> {
        if self.locks.is_empty() && self.tasks.is_empty() && self.claim.is_none() {
            return None;
        }
        let mut composer = Composer::default();
        let locks = self.compose_locks(&mut composer);
        self.compose_tasks(&mut composer);
        composer.written(locks, !self.tasks.is_empty());
        composer.rows(&self.tags, sql::TAG);
        composer.rows_or_one(&self.attempts, sql::END, sql::END_ONE);
        composer.rows(&self.deleted_steps, sql::DELETE_STEP);
        composer.rows(&self.steps, sql::UPSERT_STEP);
        composer.rows(&self.actions, sql::ACT);
        if let Some(claim) = &self.claim {
            claim.compose(&mut composer);
        }
        Some(composer)
    }

    fn compose_locks<'a>(&'a self, composer: &mut Composer<'a>) -> Locks {
        match (self.locks.len(), self.updates.len()) {
            (0, _) => return Locks::None,
            (1, 0) => composer.part(sql::LOCK_ONE, self.locks.first()),
            (1, _) => {
                // The id is the first parameter of both.
                let mut values = self.locks.first();
                values.extend(self.updates.first().into_iter().skip(1));
                composer.part(sql::UPDATE_ONE, values);
            }
            _ => {
                composer.rows(&self.locks, sql::LOCK);
                composer.rows(&self.updates, sql::UPDATE);
                return Locks::Many;
            }
        }
        Locks::One
    }

    fn compose_tasks<'a>(&'a self, composer: &mut Composer<'a>) {
        if self.identities.hash.iter().all(Option::is_none) {
            return composer.rows_or_one(&self.tasks, sql::CREATE, sql::CREATE_ONE);
        }
        composer.rows(&self.identities, sql::IDENTIFY);
        let mut values: Vec<Value<'_>> = self.tasks.arrays();
        values.push((&self.identities.hash, Type::BYTEA_ARRAY));
        composer.part(sql::CREATE_UNIQUE, values);
    }

    /// Reads the statement's answer.
    pub(crate) fn read(&self, rows: &[Row]) -> Result<Written> {
        let mut written = Written::default();
        let Some(QueueClaim { worker, now, .. }) = &self.claim else {
            let tasks = rows.iter().map(|row| get(row, 0).map(TaskId));
            written.tasks = tasks.collect::<Result<_>>()?;
            return Ok(written);
        };
        let mut claims = Vec::new();
        for row in rows {
            let (task, step) = (TaskId(get(row, "task_id")?), get::<Option<i32>>(row, "step")?);
            match step {
                None => written.tasks.push(task),
                Some(step) if step < 0 => written.more = true,
                Some(_) => {
                    let claim = Claim {
                        task,
                        template: TemplateId(get(row, "template_id")?),
                        key: run_of(row)?,
                        attempt: number(row, "attempts")?,
                        attempts_before_reset: number(row, "attempts_before_reset")?,
                        worker: WorkerId(*worker),
                        claimed_at: now.0,
                    };
                    claims.push((get::<i64>(row, "rank")?, claim));
                }
            }
        }
        claims.sort_by_key(|(rank, claim)| (*rank, claim.task, claim.key));
        written.claims = claims.into_iter().map(|(_, claim)| claim).collect();
        Ok(written)
    }
}

impl QueueClaim {
    fn compose<'a>(&'a self, composer: &mut Composer<'a>) {
        let mut values: Vec<Value<'a>> = vec![
            (&self.worker, Type::UUID),
            (&self.now, Type::TIMESTAMPTZ),
            (&self.limit, Type::INT8),
            (&self.excluded_templates, Type::UUID_ARRAY),
            (&self.excluded_steps, Type::INT4_ARRAY),
        ];
        match &self.namespaces {
            None => composer.claim(sql::CLAIM, values),
            Some(namespaces) => {
                values.push((namespaces, Type::TEXT_ARRAY));
                composer.claim(sql::CLAIM_SERVED, values);
            }
        }
    }
}
