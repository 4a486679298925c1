-- Locks the task by updating it: $2 is the epoch that we know, $3 the next.
locked AS (
    UPDATE {schema}.task
    SET
        epoch = $3, state = $4,
        settled_at = CASE WHEN $6 THEN $5 ELSE settled_at END,
        worker_id = CASE WHEN $7 THEN NULL ELSE worker_id END,
        claimed = CASE WHEN $7 THEN NULL ELSE claimed END
    WHERE id = $1 AND epoch = $2
    RETURNING id
)
