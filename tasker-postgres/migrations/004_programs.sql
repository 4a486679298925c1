-- What else a worker says of itself; workers of earlier versions leave it out.
ALTER TABLE {schema}.worker
    -- The callables that it has handlers for.
    ADD COLUMN callables text[],
    -- The name and version of its program; NULL where it has said none.
    ADD COLUMN program text,
    -- The environment whose overrides apply in it; NULL for none.
    ADD COLUMN environment text;

-- The program of each worker that has recorded attempts which are kept; written when a worker registers.
CREATE TABLE {schema}.program (
    worker_id uuid PRIMARY KEY,
    -- The name and version of the application; NULL where it has said none.
    program text,
    -- The version of Tasker.
    tasker text NOT NULL,
    started_at timestamptz NOT NULL,
    -- The newest task when the worker was first found to have no row any more: it has recorded nothing of
    -- later ones.
    last_task uuid
);
