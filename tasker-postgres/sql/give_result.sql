-- A step that was resolved is given its result.
UPDATE {schema}.attempt
SET outcome = $4, result = $5::json, started_at = $6, finished_at = $6
WHERE task_id = $1 AND step = $2 AND instance = $3 AND attempt = 0
