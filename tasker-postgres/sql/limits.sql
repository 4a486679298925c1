SELECT scope, name, concurrency, every, next_start
FROM {schema}.fleet_limit
ORDER BY scope, name
