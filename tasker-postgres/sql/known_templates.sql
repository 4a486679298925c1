SELECT id
FROM {schema}.template
WHERE id = ANY ($1)
