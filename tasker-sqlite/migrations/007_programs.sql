-- What else a worker says of itself: the callables that it has handlers for (a list as JSON; NULL for
-- workers of earlier versions), the name and version of its program (NULL where it has said none), and the
-- environment whose overrides apply in it (NULL for none).
ALTER TABLE worker ADD COLUMN callables TEXT;
ALTER TABLE worker ADD COLUMN program TEXT;
ALTER TABLE worker ADD COLUMN environment TEXT;

-- The program of each worker that has recorded attempts which are kept; written when a worker registers.
CREATE TABLE program (
    worker_id BLOB PRIMARY KEY NOT NULL,
    -- The name and version of the application; NULL where it has said none.
    program TEXT,
    -- The version of Tasker.
    tasker TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    -- The newest task when the worker was first found to have no row any more: it has recorded nothing of
    -- later ones.
    last_task BLOB
) STRICT, WITHOUT ROWID;
