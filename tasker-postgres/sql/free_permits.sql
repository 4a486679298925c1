-- Deletes the permits of these workers, unless they are alive. Rows that others have locked are passed
-- over, so that no two wait for each other.
WITH dead AS (
    SELECT scope, name, worker_id
    FROM {schema}.permit
    WHERE worker_id = ANY ($1)
    AND NOT EXISTS (
        SELECT FROM {schema}.worker
        WHERE worker.id = permit.worker_id AND {is_alive}
    )
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {schema}.permit
USING dead
WHERE permit.scope = dead.scope AND permit.name = dead.name AND permit.worker_id = dead.worker_id
