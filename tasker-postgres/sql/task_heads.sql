-- The condition is added.
SELECT
    id, template_id, state, correlation_id, context::text, created_at, settled_at, priority, origin::text
FROM {schema}.task
