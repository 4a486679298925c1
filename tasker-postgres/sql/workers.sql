SELECT
    id, host, process, version, namespaces, handlers, concurrency, running, started_at, callables,
    program, environment,
    -- A worker that has ended has no last heartbeat.
    nullif(beat_at, '-infinity') AS last_beat,
    {is_alive} AS is_alive
FROM {schema}.worker
ORDER BY id
