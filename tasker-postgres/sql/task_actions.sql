SELECT action, steps, by_whom, reason, at, details::text
FROM {schema}.action
WHERE task_id = $1
ORDER BY number
