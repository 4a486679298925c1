INSERT INTO {schema}.template (id, namespace, name, version, snapshot)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
