-- The results of ordinary steps, which have one run.
SELECT attempt.task_id, attempt.step, attempt.result::text
FROM unnest($1::uuid[], $2::int4[]) AS given (task_id, step)
JOIN {schema}.attempt ON attempt.task_id = given.task_id AND attempt.step = given.step
WHERE attempt.instance = 0 AND attempt.result IS NOT NULL
