CREATE TABLE {schema}.template (
    id uuid PRIMARY KEY,
    namespace text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    snapshot text NOT NULL
);

-- A worker is alive for as long as `beat_at` is younger than its lease, by the database's clock.
CREATE TABLE {schema}.worker (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    process integer NOT NULL,
    version text NOT NULL,
    -- NULL for all.
    namespaces text[],
    handlers integer NOT NULL,
    concurrency integer NOT NULL,
    -- How many steps it had claimed at its last beat.
    running integer NOT NULL,
    lease interval NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    -- When it was last found to be dead and to hold nothing.
    idle_at timestamptz
) WITH (fillfactor = 50);

-- `epoch` names who may write the task without reading it first: whoever raised it last knows all that
-- was written since. Everybody else reads the task under its lock, and raises it.
--
-- What a worker claims in passing is written with what it has just recorded: `claimed` in `task` and
-- `attempt` lists those steps. Such a claim needs no row of its own in `step`, holds in the name of
-- that row's worker from `created_at` or `finished_at` on, and is over once the step has an attempt or
-- a row.
CREATE TABLE {schema}.task (
    id uuid PRIMARY KEY,
    template_id uuid NOT NULL,
    epoch integer NOT NULL DEFAULT 0,
    -- 'in_progress', 'complete', 'blocked_by_failures', 'cancelled' or 'error'. Nothing checks that here, nor
    -- what `attempt` holds: the server would read a check anew for each statement, a tenth of its time.
    state text NOT NULL,
    priority integer NOT NULL,
    correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    worker_id uuid,
    claimed integer[],
    context json NOT NULL,
    -- Who asked for it, and what for.
    origin json
);

-- No room is kept for updates in place, neither here nor in `step`: what they change is in an index.

-- Finished tasks pile up; the others are what lists are asked for.
CREATE INDEX task_open ON {schema}.task (state, id) WHERE state <> 'complete';

-- A row for each attempt that has ended; that of the completed attempt holds the step's result.
-- `instance` is 0: steps that come in several instances will count from 1. `attempt` is 0 when an
-- operator ended the step by hand.
CREATE TABLE {schema}.attempt (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL,
    worker_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    -- 'complete', 'failed', 'timed_out', 'panicked', 'crashed', 'cancelled', 'completed_manually' or
    -- 'resolved_manually'.
    outcome text NOT NULL,
    claimed integer[],
    -- Of the completed attempt, and of no other.
    result json,
    error json,
    PRIMARY KEY (task_id, step, instance, attempt)
);

-- A row for each step that waits in a queue, has failed for good, or was claimed from a queue. A step
-- that waits for others has none: what it waits for follows from what is done.
CREATE TABLE {schema}.step (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer NOT NULL DEFAULT 0,
    template_id uuid NOT NULL,
    -- The template's, so that who serves one namespace walks over no other's steps.
    namespace text NOT NULL,
    state text NOT NULL CHECK (state IN ('ready', 'in_progress', 'waiting_for_retry', 'error')),
    attempts integer NOT NULL,
    -- How many of them were made before an operator renewed the budget.
    forgiven integer NOT NULL DEFAULT 0,
    -- When it becomes due, while it is not.
    due_at timestamptz,
    -- Its place among those that can run, the smallest first.
    rank bigint,
    worker_id uuid,
    claimed_at timestamptz,
    PRIMARY KEY (task_id, step, instance),
    CHECK ((rank IS NOT NULL) = (state IN ('ready', 'waiting_for_retry'))),
    CHECK ((worker_id IS NOT NULL) = (state = 'in_progress'))
) WITH (
    -- Rows come and go: without this their remains would pile up in what claims walk over.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX step_waiting ON {schema}.step (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX step_ready ON {schema}.step (rank, task_id, step) WHERE rank IS NOT NULL AND due_at IS NULL;
CREATE INDEX step_served ON {schema}.step (namespace, rank, task_id, step)
WHERE rank IS NOT NULL AND due_at IS NULL;

CREATE INDEX step_claimed ON {schema}.step (worker_id) WHERE worker_id IS NOT NULL;

-- What must be unique among all tasks that are kept.
CREATE TABLE {schema}.identity (
    hash bytea PRIMARY KEY,
    task_id uuid NOT NULL
);

CREATE INDEX identity_task ON {schema}.identity (task_id);

CREATE TABLE {schema}.tag (
    tag text NOT NULL,
    task_id uuid NOT NULL,
    PRIMARY KEY (tag, task_id)
);

CREATE INDEX tag_task ON {schema}.tag (task_id);

-- What operators have done.
CREATE TABLE {schema}.action (
    task_id uuid NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    -- The steps that it was done to.
    steps integer[] NOT NULL,
    by_whom text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    -- What is known of it beyond its word.
    details json,
    PRIMARY KEY (task_id, number)
);

-- Tasks that were given up are few among all, and are listed by this.
CREATE INDEX action_given_up ON {schema}.action (task_id) WHERE action = 'give_up';
