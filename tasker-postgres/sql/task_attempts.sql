SELECT
    step, instance, attempt, worker_id, started_at, finished_at, outcome, result::text, error::text
FROM {schema}.attempt
WHERE task_id = $1
ORDER BY step, instance, attempt
