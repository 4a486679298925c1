-- A run that is filed under another template or namespace than its task's is not offered to who serves it.
SELECT
    step.task_id, step.step, step.instance, step.state, step.attempts, step.attempts_before_reset, step.rank,
    step.worker_id, step.claimed_at,
    step.template_id <> task.template_id
    OR coalesce(step.namespace <> template.namespace, false) AS is_misfiled
FROM {schema}.step
JOIN {schema}.task ON task.id = step.task_id
LEFT JOIN {schema}.template ON template.id = task.template_id
WHERE step.task_id = ANY ($1)
ORDER BY step.task_id, step.step, step.instance
