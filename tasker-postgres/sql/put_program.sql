INSERT INTO {schema}.program (worker_id, program, tasker, started_at)
VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (worker_id) DO NOTHING
