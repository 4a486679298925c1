-- Times are microseconds since 1970-01-01T00:00:00Z, ids are 16 bytes.

CREATE TABLE template (
    id BLOB PRIMARY KEY NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    snapshot TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
    id BLOB PRIMARY KEY NOT NULL,
    process INTEGER NOT NULL,
    started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE task (
    id BLOB PRIMARY KEY NOT NULL,
    template_id BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_progress', 'complete', 'blocked_by_failures')),
    correlation_id BLOB NOT NULL,
    context TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT, WITHOUT ROWID;

-- Finished tasks pile up; the others are what lists are asked for.
CREATE INDEX task_open ON task (state, id) WHERE state <> 'complete';

-- A row for each step that is neither complete nor untouched. A step that nothing has reached yet
-- needs none, and the row of a completed one has become its last attempt. `instance` is 0: steps
-- that come in several instances will count from 1.
CREATE TABLE step (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'in_progress', 'waiting_for_retry', 'error')),
    waiting_for INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    worker_id BLOB,
    claimed_at INTEGER,
    PRIMARY KEY (task_id, step, instance),
    CHECK ((due_at IS NOT NULL) = (state IN ('ready', 'waiting_for_retry'))),
    CHECK ((worker_id IS NOT NULL) = (state = 'in_progress'))
) STRICT, WITHOUT ROWID;

CREATE INDEX step_due ON step (due_at) WHERE due_at IS NOT NULL;

-- Small in good times: tells at once that a task can still end well.
CREATE INDEX step_error ON step (task_id) WHERE state = 'error';

-- A row for each attempt that has ended; that of the completed attempt holds the step's result.
CREATE TABLE attempt (
    task_id BLOB NOT NULL,
    step INTEGER NOT NULL,
    instance INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL,
    worker_id BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('complete', 'failed', 'timed_out', 'panicked', 'crashed')),
    result TEXT,
    error TEXT,
    PRIMARY KEY (task_id, step, instance, attempt),
    CHECK ((result IS NOT NULL) = (outcome = 'complete')),
    CHECK ((error IS NULL) = (outcome = 'complete'))
) STRICT, WITHOUT ROWID;
