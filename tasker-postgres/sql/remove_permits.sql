DELETE FROM {schema}.permit
WHERE scope = $1 AND name = $2
