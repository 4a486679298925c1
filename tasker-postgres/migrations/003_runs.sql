-- A step may have several runs: `instance` is 0 for the only run of an ordinary step, and counts from 1
-- where an analyzer asked for several. Each of several runs has a row until it is done. The states are
-- checked where they are read.
ALTER TABLE {schema}.step
    DROP CONSTRAINT IF EXISTS step_state_check,
    DROP CONSTRAINT IF EXISTS step_check,
    DROP CONSTRAINT IF EXISTS step_check1,
    -- What this one of several runs is to work on.
    ADD COLUMN input json,
    -- How far its handler had come when it last said so.
    ADD COLUMN checkpoint json;

ALTER TABLE {schema}.step RENAME COLUMN forgiven TO attempts_before_reset;
ALTER TABLE {schema}.fleet_limit RENAME COLUMN kind TO scope;
ALTER TABLE {schema}.permit RENAME COLUMN kind TO scope;

-- Several runs of a step have the same rank, and are claimed in their order.
DROP INDEX {schema}.step_ready, {schema}.step_served;

CREATE INDEX step_ready ON {schema}.step (rank, task_id, step, instance)
WHERE rank IS NOT NULL AND due_at IS NULL;

CREATE INDEX step_served ON {schema}.step (namespace, rank, task_id, step, instance)
WHERE rank IS NOT NULL AND due_at IS NULL;
