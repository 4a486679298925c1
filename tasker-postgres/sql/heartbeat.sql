INSERT INTO {schema}.worker (
    id, host, process, version, namespaces, handlers, concurrency, running, lease, started_at, beat_at, callables,
    program, environment
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, make_interval(secs => $9), clock_timestamp(), clock_timestamp(), $10, $11, $12
)
ON CONFLICT (id) DO UPDATE
SET running = excluded.running, beat_at = clock_timestamp(), idle_at = NULL
RETURNING clock_timestamp() AS now
