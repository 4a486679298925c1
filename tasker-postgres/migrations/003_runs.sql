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
