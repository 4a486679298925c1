SELECT id, state
FROM {schema}.task
WHERE state <> 'complete' AND state <> ALL ($1)
ORDER BY id
LIMIT 100
