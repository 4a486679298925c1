-- A page of tasks in one state. The state, and the condition of the index of open tasks, are added.
SELECT id, template_id, state, priority, worker_id, claimed, created_at, settled_at
FROM {schema}.task
WHERE id > $1
