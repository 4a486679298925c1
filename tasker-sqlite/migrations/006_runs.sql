-- A step may have several runs: `instance` is 0 for the only run of an ordinary step, and counts from 1
-- where an analyzer asked for several. The states of tasks and steps and the outcomes of attempts are no
-- longer listed here: they are checked where they are read, and a new one needs no table rebuilt.

CREATE TABLE task_6 (
    id BLOB PRIMARY KEY NOT NULL,
    template_id BLOB NOT NULL,
    state TEXT NOT NULL,
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

INSERT INTO task_6 SELECT * FROM task ORDER BY id;

DROP TABLE task;
ALTER TABLE task_6 RENAME TO task;

-- Finished tasks pile up; the others are what lists are asked for.
CREATE INDEX task_open ON task (state, id) WHERE state <> 'complete';

-- A row for each attempt that has ended; that of the completed attempt holds the run's result. `attempt`
-- is 0 where no worker made one: an operator ended the run by hand, or the step has no runs.
CREATE TABLE attempt_6 (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL,
    worker_id BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    result TEXT,
    error TEXT,
    claimed TEXT,
    PRIMARY KEY (task_id, step, instance, attempt)
) STRICT, WITHOUT ROWID;

INSERT INTO attempt_6
    (task_id, step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error, claimed)
SELECT
    task_id, step, instance, attempt, worker_id, started_at, finished_at, outcome, result, error, claimed
FROM attempt
ORDER BY task_id, step, instance, attempt;

DROP TABLE attempt;
ALTER TABLE attempt_6 RENAME TO attempt;

-- A row for each run that waits in a queue, has failed for good, or was claimed from a queue, and for each
-- of several runs of a step until it is done. The only run of a step that waits for others has none: what
-- it waits for follows from what is done.
CREATE TABLE step_6 (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    template_id BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- How many of them were made before an operator renewed the budget.
    attempts_before_reset INTEGER NOT NULL DEFAULT 0,
    -- When it becomes due, while it is not.
    due_at INTEGER,
    -- Its place among those that can run, the smallest first.
    rank INTEGER,
    worker_id BLOB,
    claimed_at INTEGER,
    -- What this one of several runs is to work on, as JSON.
    input TEXT,
    -- How far its handler had come when it last said so, as JSON.
    checkpoint TEXT,
    PRIMARY KEY (task_id, step, instance)
) STRICT, WITHOUT ROWID;

INSERT INTO step_6
    (task_id, step, instance, template_id, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at)
SELECT
    task_id, step, instance, template_id, state, attempts, forgiven, due_at, rank, worker_id, claimed_at
FROM step;

DROP TABLE step;
ALTER TABLE step_6 RENAME TO step;

CREATE INDEX step_waiting ON step (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX step_ready ON step (rank) WHERE rank IS NOT NULL AND due_at IS NULL;

ALTER TABLE fleet_limit RENAME COLUMN kind TO scope;
ALTER TABLE permit RENAME COLUMN kind TO scope;
