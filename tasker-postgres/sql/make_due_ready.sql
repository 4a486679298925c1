UPDATE {schema}.step
SET due_at = NULL
WHERE (task_id, step, instance) IN (
    SELECT task_id, step, instance
    FROM {schema}.step
    WHERE due_at <= $1
    ORDER BY due_at
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
