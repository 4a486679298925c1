SELECT id, context::text, correlation_id, created_at
FROM {schema}.task
WHERE id = ANY ($1)
