-- What a worker claims in passing is written with what it has just recorded: `claimed` in `task` and
-- `attempt` lists those steps, as JSON. Such a claim needs no row of its own in `step`, holds in the
-- name of that row's worker from `created_at` or `finished_at` on, and is over once the step has an
-- attempt or a row.

CREATE TABLE task_2 (
    id BLOB PRIMARY KEY NOT NULL,
    template_id BLOB NOT NULL,
    -- Rules are chains of OR: for a list after IN, SQLite builds a table each time it checks a row.
    state TEXT NOT NULL CHECK (
        state = 'in_progress' OR state = 'complete' OR state = 'blocked_by_failures'
        OR state = 'cancelled' OR state = 'error'
    ),
    correlation_id BLOB NOT NULL,
    context TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    priority INTEGER NOT NULL DEFAULT 0,
    worker_id BLOB,
    claimed TEXT,
    -- Who asked for it, and what for, as JSON.
    origin TEXT
) STRICT, WITHOUT ROWID;

INSERT INTO task_2 (id, template_id, state, correlation_id, context, created_at, settled_at)
SELECT id, template_id, state, correlation_id, context, created_at, settled_at
FROM task;

DROP TABLE task;
ALTER TABLE task_2 RENAME TO task;

-- Finished tasks pile up; the others are what lists are asked for.
CREATE INDEX task_open ON task (state, id) WHERE state <> 'complete';

CREATE TABLE attempt_2 (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    -- 0 when an operator ended the step by hand.
    attempt INTEGER NOT NULL,
    worker_id BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (
        outcome = 'complete' OR outcome = 'failed' OR outcome = 'timed_out' OR outcome = 'panicked'
        OR outcome = 'crashed' OR outcome = 'cancelled' OR outcome = 'completed_manually'
        OR outcome = 'resolved_manually'
    ),
    result TEXT,
    error TEXT,
    claimed TEXT,
    PRIMARY KEY (task_id, step, instance, attempt),
    CHECK ((result IS NOT NULL) = (outcome = 'complete' OR outcome = 'completed_manually'))
) STRICT, WITHOUT ROWID;

INSERT INTO attempt_2
    (task_id, step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error)
SELECT task_id, step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error
FROM attempt;

DROP TABLE attempt;
ALTER TABLE attempt_2 RENAME TO attempt;

-- A row for each step that waits in a queue, has failed for good, or was claimed from a queue. A step
-- that waits for others has none: what it waits for follows from what is done.
CREATE TABLE step_2 (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    template_id BLOB NOT NULL,
    state TEXT NOT NULL CHECK (
        state = 'ready' OR state = 'in_progress' OR state = 'waiting_for_retry' OR state = 'error'
    ),
    attempts INTEGER NOT NULL,
    -- How many of them were made before an operator renewed the budget.
    forgiven INTEGER NOT NULL DEFAULT 0,
    -- When it becomes due, while it is not.
    due_at INTEGER,
    -- Its place among those that can run, the smallest first.
    rank INTEGER,
    worker_id BLOB,
    claimed_at INTEGER,
    PRIMARY KEY (task_id, step, instance),
    CHECK ((rank IS NOT NULL) = (state = 'ready' OR state = 'waiting_for_retry')),
    CHECK ((worker_id IS NOT NULL) = (state = 'in_progress'))
) STRICT, WITHOUT ROWID;

INSERT INTO step_2
    (task_id, step, instance, template_id, state, attempts, due_at, rank, worker_id, claimed_at)
SELECT
    step.task_id, step.step, step.instance, task.template_id, step.state, step.attempts,
    step.due_at, step.due_at, step.worker_id, step.claimed_at
FROM step
JOIN task ON task.id = step.task_id
WHERE step.state <> 'pending';

DROP TABLE step;
ALTER TABLE step_2 RENAME TO step;

CREATE INDEX step_waiting ON step (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX step_ready ON step (rank) WHERE rank IS NOT NULL AND due_at IS NULL;

-- What must be unique among all tasks that are kept.
CREATE TABLE identity (
    hash BLOB PRIMARY KEY NOT NULL,
    task_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_task ON identity (task_id);

CREATE TABLE tag (
    tag TEXT NOT NULL,
    task_id BLOB NOT NULL,
    PRIMARY KEY (tag, task_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_task ON tag (task_id);

-- What operators have done.
CREATE TABLE action (
    task_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    action TEXT NOT NULL,
    -- The steps that it was done to, as JSON.
    steps TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;
