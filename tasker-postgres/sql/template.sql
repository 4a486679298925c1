SELECT namespace, name, version, snapshot
FROM {schema}.template
WHERE id = $1
