-- The row of a worker that died is kept for an hour: a worker that was only stalled finds its row again,
-- and a claim that was on its way is found by it.
WITH old AS (
    DELETE FROM {schema}.worker
    WHERE id = ANY ($1) AND beat_at < clock_timestamp() - interval '1 hour'
    RETURNING id
)
UPDATE {schema}.worker
SET idle_at = clock_timestamp()
WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM old) AND NOT ({is_alive})
