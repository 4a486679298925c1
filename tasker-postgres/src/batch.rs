//! What a batch of operations writes, as one statement: arrays of rows, so that its cost hardly
//! depends on how many there are.
//!
//! The statement consists of the parts that have rows. The first locks the tasks whose epoch is still
//! the one that we know; whatever belongs to another task is left out, and the answer says so. Parts
//! with a single row have a form without arrays, which the server is done with in half the time.

use jiff::Timestamp;
use tasker_store::progress::StepProgress;
use tasker_store::{
    ActionRecord, AttemptRecord, Claim, ClaimRequest, NewTaskRecord, TaskId, TaskState, TemplateId, WorkerId,
};
use tasker_template::StepIndex;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row, Statement};
use uuid::Uuid;

use crate::connection::Connection;
use crate::parts::{
    ACT, CLAIM, CLAIM_SERVED, CREATE, CREATE_NAMED, CREATE_ONE, END, END_ONE, GONE, LOCK, LOCK_ONE, MOVE,
    MOVE_ONE, NAME, PLACE, TAG,
};
use crate::statement::{Builder, Value};
use crate::values::{Result, Time, array, get, int, number, unreadable};

/// Rows to write, by column.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    locks: Locks,
    moves: Moves,
    tasks: Tasks,
    tags: Tags,
    attempts: Attempts,
    gone: Gone,
    steps: Steps,
    actions: Actions,
    queue: Option<Queue>,
}

#[derive(Debug, Default)]
struct Locks {
    id: Vec<Uuid>,
    epoch: Vec<i32>,
}

#[derive(Debug, Default)]
struct Moves {
    id: Vec<Uuid>,
    epoch: Vec<i32>,
    state: Vec<&'static str>,
    settled_at: Vec<Option<Time>>,
    changed: Vec<bool>,
    /// Whether what is claimed in passing ends.
    over: Vec<bool>,
}

#[derive(Debug, Default)]
struct Tasks {
    id: Vec<Uuid>,
    template: Vec<Uuid>,
    correlation: Vec<Uuid>,
    context: Vec<String>,
    created_at: Vec<Time>,
    priority: Vec<i32>,
    worker: Vec<Option<Uuid>>,
    claimed: Vec<Option<String>>,
    origin: Vec<Option<String>>,
    identity: Vec<Option<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Tags {
    tag: Vec<String>,
    task: Vec<Uuid>,
}

#[derive(Debug, Default)]
struct Attempts {
    task: Vec<Uuid>,
    step: Vec<i32>,
    attempt: Vec<i32>,
    worker: Vec<Uuid>,
    started_at: Vec<Time>,
    finished_at: Vec<Time>,
    outcome: Vec<&'static str>,
    claimed: Vec<Option<String>>,
    result: Vec<Option<String>>,
    error: Vec<Option<String>>,
}

#[derive(Debug, Default)]
struct Gone {
    task: Vec<Uuid>,
    step: Vec<i32>,
}

#[derive(Debug, Default)]
struct Steps {
    task: Vec<Uuid>,
    step: Vec<i32>,
    template: Vec<Uuid>,
    state: Vec<&'static str>,
    attempts: Vec<i32>,
    attempts_before_reset: Vec<i32>,
    due_at: Vec<Option<Time>>,
    rank: Vec<Option<i64>>,
    worker: Vec<Option<Uuid>>,
    claimed_at: Vec<Option<Time>>,
}

#[derive(Debug, Default)]
struct Actions {
    task: Vec<Uuid>,
    action: Vec<String>,
    steps: Vec<String>,
    by: Vec<String>,
    reason: Vec<String>,
    at: Vec<Time>,
    details: Vec<Option<String>>,
}

/// Claims from the queue.
#[derive(Debug)]
struct Queue {
    worker: Uuid,
    now: Time,
    room: i64,
    excluded_template: Vec<Uuid>,
    excluded_step: Vec<i32>,
    namespaces: Option<Vec<String>>,
}

/// What the statement came to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The tasks that were ours to write, and those that were created.
    pub(crate) tasks: Vec<TaskId>,
    /// What was claimed from the queue, in its order.
    pub(crate) claims: Vec<Claim>,
    /// Whether more than that was ready.
    pub(crate) more: bool,
}

impl Batch {
    /// A task that is written only if its epoch is this one.
    pub(crate) fn lock(&mut self, task: TaskId, epoch: i32) {
        self.locks.id.push(task.0);
        self.locks.epoch.push(epoch);
    }

    /// The task's row: its epoch from now on, and its state, with the time when that has changed.
    pub(crate) fn set_task(
        &mut self,
        task: TaskId,
        epoch: i32,
        state: TaskState,
        changed_at: Option<Timestamp>,
    ) {
        self.moves.id.push(task.0);
        self.moves.epoch.push(epoch);
        self.moves.state.push(state.as_str());
        self.moves.settled_at.push(changed_at.filter(|_| state.is_settled()).map(Time));
        self.moves.changed.push(changed_at.is_some());
        self.moves.over.push(state.is_over());
    }

    pub(crate) fn create(
        &mut self,
        task: &NewTaskRecord,
        claimed: &[StepIndex],
        request: &ClaimRequest,
    ) -> Result<()> {
        let rows = &mut self.tasks;
        rows.id.push(task.id.0);
        rows.template.push(task.template.0);
        rows.correlation.push(task.correlation_id);
        rows.context.push(task.context.get().to_owned());
        rows.created_at.push(Time(task.created_at));
        rows.priority.push(task.priority);
        rows.worker.push((!claimed.is_empty()).then_some(request.worker.0));
        rows.claimed.push(array(claimed));
        rows.origin.push(match &task.origin {
            origin if *origin == Default::default() => None,
            origin => Some(text("origin", origin)?),
        });
        rows.identity.push(task.identity.map(Vec::from));
        for tag in &task.origin.tags {
            self.tags.tag.push(tag.clone());
            self.tags.task.push(task.id.0);
        }
        Ok(())
    }

    pub(crate) fn attempt(
        &mut self,
        task: TaskId,
        record: &AttemptRecord,
        claimed: &[StepIndex],
    ) -> Result<()> {
        let rows = &mut self.attempts;
        rows.task.push(task.0);
        rows.step.push(int(record.step));
        rows.attempt.push(int(record.attempt));
        rows.worker.push(record.worker.0);
        rows.started_at.push(Time(record.started_at));
        rows.finished_at.push(Time(record.finished_at));
        rows.outcome.push(record.outcome.as_str());
        rows.claimed.push(array(claimed));
        rows.result.push(record.result.as_ref().map(|result| result.get().to_owned()));
        rows.error.push(record.error.as_ref().map(|error| text("error record", error)).transpose()?);
        Ok(())
    }

    pub(crate) fn step(&mut self, task: TaskId, template: TemplateId, step: StepIndex, row: &StepProgress) {
        let rows = &mut self.steps;
        rows.task.push(task.0);
        rows.step.push(int(step));
        rows.template.push(template.0);
        rows.state.push(row.state.as_str());
        rows.attempts.push(int(row.attempts));
        rows.attempts_before_reset.push(int(row.attempts_before_reset));
        rows.due_at.push(row.due_at.map(Time));
        rows.rank.push(row.rank);
        rows.worker.push(row.claim.map(|claim| claim.worker.0));
        rows.claimed_at.push(row.claim.map(|claim| Time(claim.claimed_at)));
    }

    pub(crate) fn no_step(&mut self, task: TaskId, step: StepIndex) {
        self.gone.task.push(task.0);
        self.gone.step.push(int(step));
    }

    pub(crate) fn action(&mut self, task: TaskId, record: ActionRecord) -> Result<()> {
        let rows = &mut self.actions;
        rows.task.push(task.0);
        rows.action.push(record.action);
        rows.steps.push(array(&record.steps).unwrap_or_else(|| "{}".to_owned()));
        rows.by.push(record.by);
        rows.reason.push(record.reason);
        rows.at.push(Time(record.at));
        let details = Some(&record.details).filter(|details| !details.is_empty());
        rows.details.push(details.map(|details| text("record of an action", details)).transpose()?);
        Ok(())
    }

    /// Claims up to `room` steps from the queue.
    pub(crate) fn claim(&mut self, request: &ClaimRequest, room: usize) {
        let (excluded_template, excluded_step) =
            request.excluded.iter().map(|(template, step)| (template.0, int(*step))).unzip();
        let room = i64::try_from(room).unwrap_or(i64::MAX - 1);
        self.queue = Some(Queue {
            worker: request.worker.0,
            now: Time(request.now),
            room,
            excluded_template,
            excluded_step,
            namespaces: request.namespaces.as_deref().map(<[String]>::to_vec),
        });
    }

    /// Whether anything of a queue has changed that others may wait for.
    pub(crate) fn queues(&self) -> bool {
        !self.steps.id_of_ready().is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.locks.id.is_empty() && self.tasks.id.is_empty() && self.queue.is_none()
    }

    /// Prepares the statement, unless it is or nothing can be prepared.
    pub(crate) async fn prepare(
        &self,
        connection: &mut Connection,
    ) -> std::result::Result<Option<Statement>, tokio_postgres::Error> {
        if self.is_empty() || !connection.prepared {
            return Ok(None);
        }
        let builder = self.parts();
        if let Some(statement) = connection.statements.get(&builder.key) {
            return Ok(Some(statement.clone()));
        }
        let types: Vec<Type> = builder.values.iter().map(|(_, kind)| kind.clone()).collect();
        let sql = builder.sql(&connection.schema);
        let statement = connection.client.prepare_typed(&sql, &types).await?;
        connection.statements.insert(builder.key, statement.clone());
        Ok(Some(statement))
    }

    /// Writes it all.
    pub(crate) async fn send(
        &self,
        client: &impl GenericClient,
        schema: &str,
        statement: Option<Statement>,
    ) -> std::result::Result<Vec<Row>, tokio_postgres::Error> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let builder = self.parts();
        match statement {
            Some(statement) => {
                let values: Vec<_> = builder.values.iter().map(|(value, _)| *value).collect();
                client.query(&statement, &values).await
            }
            None => client.query_typed(&builder.sql(schema), &builder.values).await,
        }
    }

    /// Reads what [`send`](Self::send) brought.
    pub(crate) fn read(&self, rows: &[Row]) -> Result<Written> {
        let mut written = Written::default();
        let Some(queue) = &self.queue else {
            let tasks = rows.iter().map(|row| get(row, 0).map(TaskId));
            written.tasks = tasks.collect::<Result<_>>()?;
            return Ok(written);
        };
        let mut claims = Vec::new();
        for row in rows {
            let (task, step) = (TaskId(get(row, 0)?), get::<Option<i32>>(row, 1)?);
            match step {
                None => written.tasks.push(task),
                Some(step) if step < 0 => written.more = true,
                Some(_) => {
                    let claim = Claim {
                        task,
                        template: TemplateId(get(row, 2)?),
                        step: number(row, 1)?,
                        attempt: number(row, 3)?,
                        attempts_before_reset: number(row, 4)?,
                        worker: WorkerId(queue.worker),
                        claimed_at: queue.now.0,
                    };
                    claims.push((get::<i64>(row, 5)?, claim));
                }
            }
        }
        claims.sort_by_key(|(rank, claim)| (*rank, claim.task, claim.step));
        written.claims = claims.into_iter().map(|(_, claim)| claim).collect();
        Ok(written)
    }

    fn parts(&self) -> Builder<'_> {
        let mut builder = Builder::default();
        let Self { locks, moves, tasks, tags, attempts, gone, steps, actions, queue } = self;
        if let ([id], [epoch]) = (&locks.id[..], &locks.epoch[..]) {
            builder.one_lock = true;
            let mut values: Vec<Value<'_>> = vec![(id, Type::UUID), (epoch, Type::INT4)];
            if moves.id.is_empty() {
                builder.part(LOCK_ONE, values);
            } else {
                values.extend::<[Value<'_>; 5]>([
                    (&moves.epoch[0], Type::INT4),
                    (&moves.state[0], Type::TEXT),
                    (&moves.settled_at[0], Type::TIMESTAMPTZ),
                    (&moves.changed[0], Type::BOOL),
                    (&moves.over[0], Type::BOOL),
                ]);
                builder.part(MOVE_ONE, values);
            }
        } else if !locks.id.is_empty() {
            builder.part(LOCK, vec![(&locks.id, Type::UUID_ARRAY), (&locks.epoch, Type::INT4_ARRAY)]);
        }
        if !moves.id.is_empty() && !builder.one_lock {
            builder.part(
                MOVE,
                vec![
                    (&moves.id, Type::UUID_ARRAY),
                    (&moves.epoch, Type::INT4_ARRAY),
                    (&moves.state, Type::TEXT_ARRAY),
                    (&moves.settled_at, Type::TIMESTAMPTZ_ARRAY),
                    (&moves.changed, Type::BOOL_ARRAY),
                    (&moves.over, Type::BOOL_ARRAY),
                ],
            );
        }
        if !tasks.id.is_empty() {
            let identified = tasks.identity.iter().any(Option::is_some);
            if !identified && tasks.id.len() == 1 {
                builder.part(
                    CREATE_ONE,
                    vec![
                        (&tasks.id[0], Type::UUID),
                        (&tasks.template[0], Type::UUID),
                        (&tasks.correlation[0], Type::UUID),
                        (&tasks.context[0], Type::TEXT),
                        (&tasks.created_at[0], Type::TIMESTAMPTZ),
                        (&tasks.priority[0], Type::INT4),
                        (&tasks.worker[0], Type::UUID),
                        (&tasks.claimed[0], Type::TEXT),
                        (&tasks.origin[0], Type::TEXT),
                    ],
                );
            } else {
                tasks.write(&mut builder, identified);
            }
        }
        builder.good(!locks.id.is_empty(), !tasks.id.is_empty());
        if !tags.tag.is_empty() {
            builder.part(TAG, vec![(&tags.tag, Type::TEXT_ARRAY), (&tags.task, Type::UUID_ARRAY)]);
        }
        if attempts.task.len() == 1 {
            builder.part(
                END_ONE,
                vec![
                    (&attempts.task[0], Type::UUID),
                    (&attempts.step[0], Type::INT4),
                    (&attempts.attempt[0], Type::INT4),
                    (&attempts.worker[0], Type::UUID),
                    (&attempts.started_at[0], Type::TIMESTAMPTZ),
                    (&attempts.finished_at[0], Type::TIMESTAMPTZ),
                    (&attempts.outcome[0], Type::TEXT),
                    (&attempts.claimed[0], Type::TEXT),
                    (&attempts.result[0], Type::TEXT),
                    (&attempts.error[0], Type::TEXT),
                ],
            );
        } else if !attempts.task.is_empty() {
            builder.part(
                END,
                vec![
                    (&attempts.task, Type::UUID_ARRAY),
                    (&attempts.step, Type::INT4_ARRAY),
                    (&attempts.attempt, Type::INT4_ARRAY),
                    (&attempts.worker, Type::UUID_ARRAY),
                    (&attempts.started_at, Type::TIMESTAMPTZ_ARRAY),
                    (&attempts.finished_at, Type::TIMESTAMPTZ_ARRAY),
                    (&attempts.outcome, Type::TEXT_ARRAY),
                    (&attempts.claimed, Type::TEXT_ARRAY),
                    (&attempts.result, Type::TEXT_ARRAY),
                    (&attempts.error, Type::TEXT_ARRAY),
                ],
            );
        }
        if !gone.task.is_empty() {
            builder.part(GONE, vec![(&gone.task, Type::UUID_ARRAY), (&gone.step, Type::INT4_ARRAY)]);
        }
        if !steps.task.is_empty() {
            builder.part(
                PLACE,
                vec![
                    (&steps.task, Type::UUID_ARRAY),
                    (&steps.step, Type::INT4_ARRAY),
                    (&steps.template, Type::UUID_ARRAY),
                    (&steps.state, Type::TEXT_ARRAY),
                    (&steps.attempts, Type::INT4_ARRAY),
                    (&steps.attempts_before_reset, Type::INT4_ARRAY),
                    (&steps.due_at, Type::TIMESTAMPTZ_ARRAY),
                    (&steps.rank, Type::INT8_ARRAY),
                    (&steps.worker, Type::UUID_ARRAY),
                    (&steps.claimed_at, Type::TIMESTAMPTZ_ARRAY),
                ],
            );
        }
        if !actions.task.is_empty() {
            builder.part(
                ACT,
                vec![
                    (&actions.task, Type::UUID_ARRAY),
                    (&actions.action, Type::TEXT_ARRAY),
                    (&actions.steps, Type::TEXT_ARRAY),
                    (&actions.by, Type::TEXT_ARRAY),
                    (&actions.reason, Type::TEXT_ARRAY),
                    (&actions.at, Type::TIMESTAMPTZ_ARRAY),
                    (&actions.details, Type::TEXT_ARRAY),
                ],
            );
        }
        if let Some(queue) = queue {
            let mut values: Vec<Value<'_>> = vec![
                (&queue.worker, Type::UUID),
                (&queue.now, Type::TIMESTAMPTZ),
                (&queue.room, Type::INT8),
                (&queue.excluded_template, Type::UUID_ARRAY),
                (&queue.excluded_step, Type::INT4_ARRAY),
            ];
            let part = match &queue.namespaces {
                None => CLAIM,
                Some(_) => CLAIM_SERVED,
            };
            if let Some(namespaces) = &queue.namespaces {
                values.push((namespaces, Type::TEXT_ARRAY));
            }
            builder.part(part, values);
        }
        builder.claims = queue.is_some();
        builder
    }
}

impl Tasks {
    /// As the parts that create several, or some that have to be unique.
    fn write<'a>(&'a self, builder: &mut Builder<'a>, identified: bool) {
        if identified {
            builder.part(NAME, vec![(&self.identity, Type::BYTEA_ARRAY), (&self.id, Type::UUID_ARRAY)]);
        }
        let mut values: Vec<Value<'a>> = vec![
            (&self.id, Type::UUID_ARRAY),
            (&self.template, Type::UUID_ARRAY),
            (&self.correlation, Type::UUID_ARRAY),
            (&self.context, Type::TEXT_ARRAY),
            (&self.created_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.priority, Type::INT4_ARRAY),
            (&self.worker, Type::UUID_ARRAY),
            (&self.claimed, Type::TEXT_ARRAY),
            (&self.origin, Type::TEXT_ARRAY),
        ];
        if identified {
            values.push((&self.identity, Type::BYTEA_ARRAY));
        }
        builder.part(if identified { CREATE_NAMED } else { CREATE }, values);
    }
}

impl Steps {
    fn id_of_ready(&self) -> Vec<Uuid> {
        let ready = self.task.iter().zip(&self.rank).zip(&self.due_at);
        ready.filter(|((_, rank), due)| rank.is_some() && due.is_none()).map(|((id, _), _)| *id).collect()
    }
}

fn text(what: &'static str, value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable(what, error))
}
