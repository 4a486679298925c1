SELECT id, template_id, state, priority, epoch, worker_id, claimed, created_at
FROM {schema}.task
WHERE id = ANY ($1)
