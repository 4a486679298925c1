-- Tasks of which one of the workers has claimed a step: from the queue, in passing with the task's creation,
-- or in passing with another attempt. The conditions on `state` are those of the index of open tasks.
SELECT task_id
FROM {schema}.step
WHERE worker_id = ANY ($1)
UNION
SELECT id
FROM {schema}.task
WHERE state = 'in_progress' AND state <> 'complete' AND worker_id = ANY ($1)
UNION
SELECT task.id
FROM {schema}.task
JOIN {schema}.attempt ON attempt.task_id = task.id
WHERE task.state = 'in_progress' AND task.state <> 'complete'
AND attempt.worker_id = ANY ($1) AND attempt.claimed IS NOT NULL
