SELECT scope, name, concurrency, every, next_start
FROM {schema}.fleet_limit
WHERE (scope, name) IN (SELECT * FROM unnest($1, $2))
ORDER BY scope, name
FOR UPDATE
