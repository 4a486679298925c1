-- Should the task be reopened, what was claimed in passing is claimed no more.
UPDATE {schema}.attempt
SET claimed = NULL
WHERE task_id = $1 AND claimed IS NOT NULL
