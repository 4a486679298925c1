-- Limits that hold for all workers together, set by operators. Whoever changes what is held of one, or when
-- its next start may be, holds the lock of its row.
CREATE TABLE {schema}.fleet_limit (
    kind text NOT NULL CHECK (kind IN ('namespace', 'callable')),
    name text NOT NULL,
    -- At most so many attempts at a time.
    concurrency integer CHECK (concurrency >= 0),
    -- Microseconds between two starts.
    every bigint CHECK (every > 0),
    -- When the next start may be.
    next_start timestamptz,
    PRIMARY KEY (kind, name),
    CHECK (concurrency IS NOT NULL OR every IS NOT NULL)
) WITH (fillfactor = 50);

-- What each worker holds of a limit, and wants in all. The rows of workers that are dead do not count.
CREATE TABLE {schema}.permit (
    kind text NOT NULL,
    name text NOT NULL,
    worker_id uuid NOT NULL,
    held integer NOT NULL,
    wanted integer NOT NULL,
    -- Since when it has wanted one and had none.
    starved_since timestamptz,
    PRIMARY KEY (kind, name, worker_id)
) WITH (fillfactor = 50);

CREATE INDEX permit_worker ON {schema}.permit (worker_id);
