-- Limits that hold for all workers together, set by operators.
CREATE TABLE fleet_limit (
    kind TEXT NOT NULL CHECK (kind = 'namespace' OR kind = 'callable'),
    name TEXT NOT NULL,
    -- At most so many attempts at a time.
    concurrency INTEGER,
    -- Microseconds between two starts.
    every INTEGER CHECK (every > 0),
    -- When the next start may be.
    next_start INTEGER,
    PRIMARY KEY (kind, name),
    CHECK (concurrency IS NOT NULL OR every IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- What each worker holds of a limit, and wants in all. The rows of workers that are dead do not count.
CREATE TABLE permit (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    worker_id BLOB NOT NULL,
    held INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    -- Since when it has wanted one and had none.
    starved_since INTEGER,
    PRIMARY KEY (kind, name, worker_id)
) STRICT, WITHOUT ROWID;
