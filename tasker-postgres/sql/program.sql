SELECT program, tasker, started_at
FROM {schema}.program
WHERE worker_id = $1
