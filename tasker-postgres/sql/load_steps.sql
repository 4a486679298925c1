SELECT
    task_id, step, instance, state, attempts, attempts_before_reset, due_at, rank, worker_id, claimed_at
FROM {schema}.step
WHERE task_id = ANY ($1)
