//! What a batch of operations writes, as one statement: arrays of rows, so that its cost hardly
//! depends on how many there are.
//!
//! The statement consists of the parts that have rows. The first locks the tasks whose epoch is still
//! the one that we know; whatever belongs to another task is left out, and the answer says so. Parts
//! with a single row have a form without arrays, which the server is done with in half the time.

use jiff::Timestamp;
use tasker_template::StepIndex;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row, Statement};
use uuid::Uuid;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::state::TaskState;
use crate::store::postgres::connection::Connection;
use crate::store::postgres::values::{Result, Time, array, get, int, number, unreadable};
use crate::store::progress::StepProgress;
use crate::store::{ActionRecord, AttemptRecord, Claim, ClaimRequest, NewTaskRecord};

type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// Rows to write, by column.
#[derive(Debug, Default)]
pub(super) struct Batch {
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
    forgiven: Vec<i32>,
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
    passed_template: Vec<Uuid>,
    passed_step: Vec<i32>,
    namespaces: Option<Vec<String>>,
}

/// What the statement came to.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The tasks that were ours to write, and those that were created.
    pub(super) tasks: Vec<TaskId>,
    /// What was claimed from the queue, in its order.
    pub(super) claims: Vec<Claim>,
    /// Whether more than that was ready.
    pub(super) more: bool,
}

impl Batch {
    /// A task that is written only if its epoch is this one.
    pub(super) fn lock(&mut self, task: TaskId, epoch: i32) {
        self.locks.id.push(task.0);
        self.locks.epoch.push(epoch);
    }

    /// The task's row: its epoch from now on, and its state, with the time when that has changed.
    pub(super) fn set_task(
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

    pub(super) fn create(
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

    pub(super) fn attempt(
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

    pub(super) fn step(&mut self, task: TaskId, template: TemplateId, step: StepIndex, row: &StepProgress) {
        let rows = &mut self.steps;
        rows.task.push(task.0);
        rows.step.push(int(step));
        rows.template.push(template.0);
        rows.state.push(row.state.as_str());
        rows.attempts.push(int(row.attempts));
        rows.forgiven.push(int(row.forgiven));
        rows.due_at.push(row.due_at.map(Time));
        rows.rank.push(row.rank);
        rows.worker.push(row.claim.map(|claim| claim.worker.0));
        rows.claimed_at.push(row.claim.map(|claim| Time(claim.claimed_at)));
    }

    pub(super) fn no_step(&mut self, task: TaskId, step: StepIndex) {
        self.gone.task.push(task.0);
        self.gone.step.push(int(step));
    }

    pub(super) fn action(&mut self, task: TaskId, record: ActionRecord) -> Result<()> {
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
    pub(super) fn claim(&mut self, request: &ClaimRequest, room: usize) {
        let (passed_template, passed_step) =
            request.passed.iter().map(|(template, step)| (template.0, int(*step))).unzip();
        let room = i64::try_from(room).unwrap_or(i64::MAX - 1);
        self.queue = Some(Queue {
            worker: request.worker.0,
            now: Time(request.now),
            room,
            passed_template,
            passed_step,
            namespaces: request.namespaces.as_deref().map(<[String]>::to_vec),
        });
    }

    /// Whether anything of a queue has changed that others may wait for.
    pub(super) fn queues(&self) -> bool {
        !self.steps.id_of_ready().is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.locks.id.is_empty() && self.tasks.id.is_empty() && self.queue.is_none()
    }

    /// Prepares the statement, unless it is or nothing can be prepared.
    pub(super) async fn prepare(
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
    pub(super) async fn send(
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
    pub(super) fn read(&self, rows: &[Row]) -> Result<Written> {
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
                        forgiven: number(row, 4)?,
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
                builder.create(tasks, identified);
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
                    (&steps.forgiven, Type::INT4_ARRAY),
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
                (&queue.passed_template, Type::UUID_ARRAY),
                (&queue.passed_step, Type::INT4_ARRAY),
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

impl Steps {
    fn id_of_ready(&self) -> Vec<Uuid> {
        let ready = self.task.iter().zip(&self.rank).zip(&self.due_at);
        ready.filter(|((_, rank), due)| rank.is_some() && due.is_none()).map(|((id, _), _)| *id).collect()
    }
}

fn text(what: &'static str, value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable(what, error))
}

/// One part of the statement: an expression with a name and its own numbering of values.
struct Part {
    /// A bit of its own.
    bit: u32,
    sql: &'static str,
}

/// Tasks that are ours to write, locked in the order of their ids, as everybody does it.
const LOCK: Part = Part {
    bit: 1,
    sql: "ours AS MATERIALIZED (
        SELECT task.id
        FROM {schema}.task
        JOIN unnest($1::uuid[], $2::int4[]) AS known (id, epoch) ON known.id = task.id
        WHERE task.epoch = known.epoch
        ORDER BY task.id
        FOR NO KEY UPDATE OF task
    )",
};

const LOCK_ONE: Part = Part {
    bit: 1 << 12,
    sql: "ours AS MATERIALIZED (
        SELECT id FROM {schema}.task WHERE id = $1 AND epoch = $2 FOR NO KEY UPDATE
    )",
};

/// Locks the task by what it changes.
const MOVE_ONE: Part = Part {
    bit: 1 << 13,
    sql: "ours AS (
        UPDATE {schema}.task
        SET
            epoch = $3, state = $4,
            settled_at = CASE WHEN $6 THEN $5 ELSE settled_at END,
            worker_id = CASE WHEN $7 THEN NULL ELSE worker_id END,
            claimed = CASE WHEN $7 THEN NULL ELSE claimed END
        WHERE id = $1 AND epoch = $2
        RETURNING id
    )",
};

const MOVE: Part = Part {
    bit: 2,
    sql: "moved AS (
        UPDATE {schema}.task
        SET
            epoch = known.epoch, state = known.state,
            settled_at = CASE WHEN known.changed THEN known.settled_at ELSE task.settled_at END,
            worker_id = CASE WHEN known.over THEN NULL ELSE task.worker_id END,
            claimed = CASE WHEN known.over THEN NULL ELSE task.claimed END
        FROM unnest($1::uuid[], $2::int4[], $3::text[], $4::timestamptz[], $5::bool[], $6::bool[])
            AS known (id, epoch, state, settled_at, changed, over)
        JOIN ours ON ours.id = known.id
        WHERE task.id = ours.id
    )",
};

const NAME: Part = Part {
    bit: 4,
    sql: "named AS (
        INSERT INTO {schema}.identity (hash, task_id)
        SELECT given.hash, given.id
        FROM unnest($1::bytea[], $2::uuid[]) AS given (hash, id)
        WHERE given.hash IS NOT NULL
        ORDER BY given.hash
        ON CONFLICT DO NOTHING
        RETURNING task_id
    )",
};

const CREATE: Part = Part {
    bit: 8,
    sql: "created AS (
        INSERT INTO {schema}.task (
            id, template_id, state, correlation_id, context, created_at, priority, worker_id, claimed, origin
        )
        SELECT id, template, 'in_progress', correlation, context::json, at, priority, worker, claimed::int4[],
            origin::json
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::int4[], $7::uuid[],
            $8::text[], $9::text[]
        ) AS given (id, template, correlation, context, at, priority, worker, claimed, origin)
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )",
};

const CREATE_ONE: Part = Part {
    bit: 1 << 14,
    sql: "created AS (
        INSERT INTO {schema}.task (
            id, template_id, state, correlation_id, context, created_at, priority, worker_id, claimed, origin
        )
        VALUES ($1, $2, 'in_progress', $3, $4::json, $5, $6, $7, $8::int4[], $9::json)
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )",
};

const CREATE_NAMED: Part = Part {
    bit: 16,
    sql: "created AS (
        INSERT INTO {schema}.task (
            id, template_id, state, correlation_id, context, created_at, priority, worker_id, claimed, origin
        )
        SELECT id, template, 'in_progress', correlation, context::json, at, priority, worker, claimed::int4[],
            origin::json
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::int4[], $7::uuid[],
            $8::text[], $9::text[], $10::bytea[]
        ) AS given (id, template, correlation, context, at, priority, worker, claimed, origin, hash)
        WHERE given.hash IS NULL OR given.id IN (SELECT task_id FROM named)
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )",
};

const TAG: Part = Part {
    bit: 32,
    sql: "tagged AS (
        INSERT INTO {schema}.tag (tag, task_id)
        SELECT given.tag, given.task
        FROM unnest($1::text[], $2::uuid[]) AS given (tag, task)
        WHERE given.task IN (SELECT id FROM good)
        ON CONFLICT DO NOTHING
    )",
};

const END: Part = Part {
    bit: 64,
    sql: "ended AS (
        INSERT INTO {schema}.attempt (
            task_id, step, attempt, worker_id, started_at, finished_at, outcome, claimed, result, error
        )
        SELECT task, step, attempt, worker, started, finished, outcome, claimed::int4[], result::json, error::json
        FROM unnest(
            $1::uuid[], $2::int4[], $3::int4[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::text[],
            $8::text[], $9::text[], $10::text[]
        ) AS given (task, step, attempt, worker, started, finished, outcome, claimed, result, error)
        WHERE given.task IN (SELECT id FROM good)
    )",
};

const END_ONE: Part = Part {
    bit: 1 << 15,
    sql: "ended AS (
        INSERT INTO {schema}.attempt (
            task_id, step, attempt, worker_id, started_at, finished_at, outcome, claimed, result, error
        )
        SELECT id, $2, $3, $4, $5, $6, $7, $8::int4[], $9::json, $10::json
        FROM good
        WHERE id = $1
    )",
};

const GONE: Part = Part {
    bit: 128,
    sql: "gone AS (
        DELETE FROM {schema}.step
        USING unnest($1::uuid[], $2::int4[]) AS given (task, step)
        WHERE step.task_id = given.task AND step.step = given.step AND step.instance = 0
        AND given.task IN (SELECT id FROM good)
    )",
};

const PLACE: Part = Part {
    bit: 256,
    sql: "placed AS (
        INSERT INTO {schema}.step (
            task_id, step, template_id, namespace, state, attempts, forgiven, due_at, rank, worker_id, claimed_at
        )
        SELECT
            task, step, template, (SELECT kind.namespace FROM {schema}.template AS kind WHERE kind.id = given.template),
            state, attempts, forgiven, due, rank, worker, claimed
        FROM unnest(
            $1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int4[], $6::int4[], $7::timestamptz[],
            $8::int8[], $9::uuid[], $10::timestamptz[]
        ) AS given (task, step, template, state, attempts, forgiven, due, rank, worker, claimed)
        WHERE given.task IN (SELECT id FROM good)
        ON CONFLICT (task_id, step, instance) DO UPDATE
        SET
            state = excluded.state, attempts = excluded.attempts, forgiven = excluded.forgiven,
            due_at = excluded.due_at, rank = excluded.rank, worker_id = excluded.worker_id,
            claimed_at = excluded.claimed_at
    )",
};

const ACT: Part = Part {
    bit: 512,
    sql: "acted AS (
        INSERT INTO {schema}.action (task_id, number, action, steps, by_whom, reason, at, details)
        SELECT
            given.task,
            (SELECT count(*) + 1 FROM {schema}.action AS earlier WHERE earlier.task_id = given.task),
            given.action, given.steps::int4[], given.by_whom, given.reason, given.at, given.details::json
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
            AS given (task, action, steps, by_whom, reason, at, details)
        WHERE given.task IN (SELECT id FROM good)
    )",
};

/// What is claimed of `ready`.
macro_rules! claim {
    ($ready:literal) => {
        concat!(
            $ready,
            ",
    chosen AS MATERIALIZED (
        SELECT task_id, step, rank FROM ready ORDER BY rank, task_id, step LIMIT $3
    ),
    taken AS (
        UPDATE {schema}.step
        SET state = 'in_progress', attempts = attempts + 1, rank = NULL, worker_id = $1, claimed_at = $2
        FROM chosen
        WHERE step.task_id = chosen.task_id AND step.step = chosen.step AND step.instance = 0
        RETURNING step.task_id, step.step, step.template_id, step.attempts, step.forgiven, chosen.rank
    )"
        )
    };
}

/// One more than there is room for is looked at, to tell whether there is more. Nothing is claimed when
/// a task was not as it was thought to be: how much room there is depends on that.
const CLAIM: Part = Part {
    bit: 1024,
    sql: claim!(
        "ready AS MATERIALIZED (
        SELECT task_id, step, rank
        FROM {schema}.step
        WHERE rank IS NOT NULL AND due_at IS NULL
        AND (template_id, step) NOT IN (SELECT * FROM unnest($4::uuid[], $5::int4[]))
        ORDER BY rank, task_id, step
        LIMIT CASE WHEN {others} THEN 0 ELSE $3 + 1 END
        FOR UPDATE SKIP LOCKED
    )"
    ),
};

/// Each namespace is looked at for itself, in the order of its own part of the index.
const CLAIM_SERVED: Part = Part {
    bit: 2048,
    sql: claim!(
        "ready AS MATERIALIZED (
        SELECT ready.task_id, ready.step, ready.rank
        FROM unnest($6::text[]) AS served (namespace)
        CROSS JOIN LATERAL (
            SELECT task_id, step, rank
            FROM {schema}.step
            WHERE step.namespace = served.namespace AND rank IS NOT NULL AND due_at IS NULL
            AND (template_id, step) NOT IN (SELECT * FROM unnest($4::uuid[], $5::int4[]))
            ORDER BY rank, task_id, step
            LIMIT CASE WHEN {others} THEN 0 ELSE $3 + 1 END
            FOR UPDATE SKIP LOCKED
        ) AS ready
    )"
    ),
};

/// Puts the parts together.
#[derive(Default)]
struct Builder<'a> {
    /// Which parts there are: two statements with the same are the same.
    key: u32,
    parts: Vec<(&'static str, usize)>,
    values: Vec<Value<'a>>,
    locks: bool,
    /// Of a single task.
    one_lock: bool,
    creates: bool,
    claims: bool,
}

impl<'a> Builder<'a> {
    fn part(&mut self, part: Part, values: Vec<Value<'a>>) {
        self.key |= part.bit;
        self.parts.push((part.sql, self.values.len()));
        self.values.extend(values);
    }

    /// New tasks, some of which may have to be unique.
    fn create(&mut self, tasks: &'a Tasks, identified: bool) {
        if identified {
            self.part(NAME, vec![(&tasks.identity, Type::BYTEA_ARRAY), (&tasks.id, Type::UUID_ARRAY)]);
        }
        let mut values: Vec<Value<'a>> = vec![
            (&tasks.id, Type::UUID_ARRAY),
            (&tasks.template, Type::UUID_ARRAY),
            (&tasks.correlation, Type::UUID_ARRAY),
            (&tasks.context, Type::TEXT_ARRAY),
            (&tasks.created_at, Type::TIMESTAMPTZ_ARRAY),
            (&tasks.priority, Type::INT4_ARRAY),
            (&tasks.worker, Type::UUID_ARRAY),
            (&tasks.claimed, Type::TEXT_ARRAY),
            (&tasks.origin, Type::TEXT_ARRAY),
        ];
        if identified {
            values.push((&tasks.identity, Type::BYTEA_ARRAY));
        }
        self.part(if identified { CREATE_NAMED } else { CREATE }, values);
    }

    fn good(&mut self, locks: bool, creates: bool) {
        (self.locks, self.creates) = (locks, creates);
        let good = match (locks, creates) {
            (true, true) => "good AS (SELECT id FROM ours UNION ALL SELECT id FROM created)",
            (true, false) => "good AS (SELECT id FROM ours)",
            (false, true) => "good AS (SELECT id FROM created)",
            (false, false) => return,
        };
        self.parts.push((good, self.values.len()));
    }

    fn sql(&self, schema: &str) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(sql, before)| renumbered(sql, *before)).collect();
        let mut answers = Vec::new();
        if self.locks || self.creates {
            answers.push(if self.claims {
                "SELECT id, NULL::int4, NULL::uuid, NULL::int4, NULL::int4, NULL::int8 FROM good"
            } else {
                "SELECT id FROM good"
            });
        }
        if self.claims {
            answers.push("SELECT task_id, step, template_id, attempts, forgiven, rank FROM taken");
            // A row that is no claim: there is more.
            answers.push(
                "SELECT task_id, -1, NULL, 0, 0, rank
                FROM (SELECT * FROM ready EXCEPT SELECT * FROM chosen) AS left_over",
            );
        }
        let others = if self.one_lock {
            "NOT EXISTS (SELECT FROM ours)"
        } else if self.locks {
            // The ids are the first value.
            "(SELECT count(*) FROM ours) < cardinality($1::uuid[])"
        } else {
            "false"
        };
        let parts = parts.join(",\n    ").replace("{schema}", schema).replace("{others}", others);
        format!("WITH {parts}\n{}", answers.join("\nUNION ALL\n"))
    }
}

/// The part's values come after those of the parts before it.
fn renumbered(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (digits, rest) = piece.split_at(digits);
        text.push_str(&format!("${}{rest}", digits.parse::<usize>().unwrap_or_default() + before));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_through() {
        assert_eq!(renumbered("a $1, $2::x, $10", 7), "a $8, $9::x, $17");
    }
}
