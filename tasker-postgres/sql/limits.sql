SELECT scope, name, concurrency, every
FROM {schema}.fleet_limit
ORDER BY scope, name
