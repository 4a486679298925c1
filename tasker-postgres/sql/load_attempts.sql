SELECT task_id, step, instance, attempt, outcome, worker_id, finished_at, claimed
FROM {schema}.attempt
WHERE task_id = ANY ($1)
