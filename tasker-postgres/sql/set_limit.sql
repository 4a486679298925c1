INSERT INTO {schema}.fleet_limit (scope, name, concurrency, every)
VALUES ($1, $2, $3, $4)
ON CONFLICT (scope, name) DO UPDATE
SET concurrency = excluded.concurrency, every = excluded.every
