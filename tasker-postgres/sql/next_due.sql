SELECT min(due_at) AS next_due
FROM {schema}.step
WHERE due_at IS NOT NULL
