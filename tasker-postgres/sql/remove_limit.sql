DELETE FROM {schema}.fleet_limit
WHERE scope = $1 AND name = $2
RETURNING scope
