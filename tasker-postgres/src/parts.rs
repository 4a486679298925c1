//! The parts that the statement of a batch may consist of, in SQL.
//!
//! `{schema}` is the schema's name, and `{others}` whether a task was not as it was thought to be.

/// One part of the statement: an expression with a name and its own numbering of values.
pub(crate) struct Part {
    /// A bit of its own.
    pub(crate) bit: u32,
    pub(crate) sql: &'static str,
}

/// Tasks that are ours to write, locked in the order of their ids, as everybody does it.
pub(crate) const LOCK: Part = Part {
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

pub(crate) const LOCK_ONE: Part = Part {
    bit: 1 << 12,
    sql: "ours AS MATERIALIZED (
        SELECT id FROM {schema}.task WHERE id = $1 AND epoch = $2 FOR NO KEY UPDATE
    )",
};

/// Locks the task by what it changes.
pub(crate) const MOVE_ONE: Part = Part {
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

pub(crate) const MOVE: Part = Part {
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

pub(crate) const NAME: Part = Part {
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

pub(crate) const CREATE: Part = Part {
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

pub(crate) const CREATE_ONE: Part = Part {
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

pub(crate) const CREATE_NAMED: Part = Part {
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

pub(crate) const TAG: Part = Part {
    bit: 32,
    sql: "tagged AS (
        INSERT INTO {schema}.tag (tag, task_id)
        SELECT given.tag, given.task
        FROM unnest($1::text[], $2::uuid[]) AS given (tag, task)
        WHERE given.task IN (SELECT id FROM good)
        ON CONFLICT DO NOTHING
    )",
};

pub(crate) const END: Part = Part {
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

pub(crate) const END_ONE: Part = Part {
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

pub(crate) const GONE: Part = Part {
    bit: 128,
    sql: "gone AS (
        DELETE FROM {schema}.step
        USING unnest($1::uuid[], $2::int4[]) AS given (task, step)
        WHERE step.task_id = given.task AND step.step = given.step AND step.instance = 0
        AND given.task IN (SELECT id FROM good)
    )",
};

pub(crate) const PLACE: Part = Part {
    bit: 256,
    sql: "placed AS (
        INSERT INTO {schema}.step (
            task_id, step, template_id, namespace, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at
        )
        SELECT
            task, step, template, (SELECT kind.namespace FROM {schema}.template AS kind WHERE kind.id = given.template),
            state, attempts, attempts_before_reset, due, rank, worker, claimed
        FROM unnest(
            $1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int4[], $6::int4[], $7::timestamptz[],
            $8::int8[], $9::uuid[], $10::timestamptz[]
        ) AS given (task, step, template, state, attempts, attempts_before_reset, due, rank, worker, claimed)
        WHERE given.task IN (SELECT id FROM good)
        ON CONFLICT (task_id, step, instance) DO UPDATE
        SET
            state = excluded.state, attempts = excluded.attempts, attempts_before_reset = excluded.attempts_before_reset,
            due_at = excluded.due_at, rank = excluded.rank, worker_id = excluded.worker_id,
            claimed_at = excluded.claimed_at
    )",
};

pub(crate) const ACT: Part = Part {
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
        RETURNING step.task_id, step.step, step.template_id, step.attempts, step.attempts_before_reset, chosen.rank
    )"
        )
    };
}

/// One more than there is room for is looked at, to tell whether there is more. Nothing is claimed when
/// a task was not as it was thought to be: how much room there is depends on that.
pub(crate) const CLAIM: Part = Part {
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
pub(crate) const CLAIM_SERVED: Part = Part {
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
