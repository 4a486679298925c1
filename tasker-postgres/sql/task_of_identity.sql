SELECT task.id, task.context::text
FROM {schema}.identity
JOIN {schema}.task ON task.id = identity.task_id
WHERE identity.hash = $1
