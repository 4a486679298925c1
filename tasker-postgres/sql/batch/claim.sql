chosen AS MATERIALIZED (
    SELECT task_id, step, instance, rank
    FROM ready
    ORDER BY rank, task_id, step, instance
    LIMIT $3
),
taken AS (
    UPDATE {schema}.step
    SET state = 'in_progress', attempts = attempts + 1, rank = NULL, worker_id = $1, claimed_at = $2
    FROM chosen
    WHERE step.task_id = chosen.task_id AND step.step = chosen.step AND step.instance = chosen.instance
    RETURNING
        step.task_id, step.step, step.instance, step.template_id, step.attempts, step.attempts_before_reset,
        chosen.rank
)
