-- Once every task is deleted that was there when a worker was first found to be forgotten, no attempt of it is
-- left: of later ones it has recorded nothing.
WITH forgotten AS (
    SELECT worker_id, last_task
    FROM {schema}.program
    WHERE NOT EXISTS (SELECT FROM {schema}.worker WHERE worker.id = program.worker_id)
    ORDER BY worker_id
    FOR UPDATE OF program SKIP LOCKED
),
over AS (
    DELETE FROM {schema}.program
    USING forgotten
    WHERE program.worker_id = forgotten.worker_id
    AND NOT EXISTS (SELECT FROM {schema}.task WHERE task.id <= forgotten.last_task)
    AND forgotten.last_task IS NOT NULL
)
UPDATE {schema}.program
SET last_task = coalesce(
    (SELECT id FROM {schema}.task WHERE id >= $1 ORDER BY id DESC LIMIT 1), $1
)
FROM forgotten
WHERE program.worker_id = forgotten.worker_id AND forgotten.last_task IS NULL
