-- The time, and for how many seconds the worker is still alive without another heartbeat.
SELECT
    clock_timestamp() AS now,
    (
        SELECT extract(epoch FROM beat_at + lease - clock_timestamp())::float8
        FROM {schema}.worker
        WHERE id = $1 AND {is_alive}
    ) AS lease_left
