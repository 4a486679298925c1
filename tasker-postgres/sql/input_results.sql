SELECT attempt.task_id, attempt.step, attempt.instance, attempt.result::text
FROM unnest($1::uuid[], $2::int4[]) AS given (task_id, step)
JOIN {schema}.attempt ON attempt.task_id = given.task_id AND attempt.step = given.step
WHERE attempt.result IS NOT NULL
ORDER BY attempt.task_id, attempt.step, attempt.instance
