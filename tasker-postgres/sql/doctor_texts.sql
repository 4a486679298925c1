-- All texts of a task that somebody may have to read: one task at a time, for they may be large.
SELECT 'context' AS what, NULL::int4 AS step, NULL::int4 AS instance, context::text AS value
FROM {schema}.task
WHERE id = $1
UNION ALL
SELECT 'origin', NULL, NULL, origin::text
FROM {schema}.task
WHERE id = $1 AND origin IS NOT NULL
UNION ALL
SELECT 'result', step, instance, result::text
FROM {schema}.attempt
WHERE task_id = $1 AND result IS NOT NULL
UNION ALL
SELECT 'error', step, instance, error::text
FROM {schema}.attempt
WHERE task_id = $1 AND error IS NOT NULL
UNION ALL
SELECT 'input', step, instance, input::text
FROM {schema}.step
WHERE task_id = $1 AND input IS NOT NULL
UNION ALL
SELECT 'details', NULL, NULL, details::text
FROM {schema}.action
WHERE task_id = $1 AND details IS NOT NULL
